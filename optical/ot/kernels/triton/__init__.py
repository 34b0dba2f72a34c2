"""The transport loss and its gradients on an NVIDIA GPU, in one Triton kernel from embeddings on."""
