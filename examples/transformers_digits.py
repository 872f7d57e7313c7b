"""A tiny BERT, made from its config, reads handwritten digits as 64 words of 17: Trainer with one callback.

flexlogger server &
python examples/transformers_digits.py
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

from flexlogger.integrations.transformers import FlexTrainerCallback

set_seed(0)
digits = load_digits()
words = torch.tensor(digits.data, dtype=torch.long)
rows = [{"input_ids": ids, "labels": int(label)} for ids, label in zip(words, digits.target, strict=True)]

size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
config = BertConfig(vocab_size=17, max_position_embeddings=64, num_labels=10, **size)


def accuracy(prediction) -> dict[str, float]:
    return {"accuracy": float(np.mean(prediction.predictions.argmax(1) == prediction.label_ids))}


arguments = TrainingArguments(
    "checkpoints",
    num_train_epochs=4,
    per_device_train_batch_size=64,
    per_device_eval_batch_size=256,
    learning_rate=5e-3,
    logging_steps=5,
    eval_strategy="epoch",
    save_strategy="no",
    report_to="none",
    disable_tqdm=True,
    use_cpu=True,
)
callback = FlexTrainerCallback(project="digits", name="tiny BERT", log_model=True)
trainer = Trainer(
    BertForSequenceClassification(config),
    arguments,
    train_dataset=rows[:1400],
    eval_dataset=rows[1400:],
    compute_metrics=accuracy,
    callbacks=[callback],
)
trainer.train()

run = callback.run  # everything that flexlogger.runs.init returns can do
print(run.url)
print(f"validation accuracy {run.summary['eval/accuracy']:.2f}, {run.summary['parameters']} parameters")
print(run.use_artifact(f"model-{run.id}:final"))
