"""Formats of model folders: what each writes about texts and projections, and how it is read. One file each.

``layout`` says what a folder holds, whatever its format. Nothing here reads weights, or imports torch.
"""
