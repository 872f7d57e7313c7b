"""Looking at tensors while a model trains: they go to processes of their own, where callbacks draw or count them."""
