"""Text to token ids and back to nothing else: what each tokenizer puts around a text, for a query and for a document.

``reader`` is the one adapter of a tokenizer. ``roles`` says how a model reads a query or a document, ``special`` which
tokens of a vocabulary are special, ``frame`` what surrounds a text's own tokens, as plain numbers. ``tokens`` cuts ids,
``padding`` makes tensors of them. Only ``padding`` imports torch.
"""
