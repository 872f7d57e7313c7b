"""The run log, the truth every view is made from."""
