"""The transport loss and its gradients on an NVIDIA GPU, computed from embeddings by one Triton kernel."""
