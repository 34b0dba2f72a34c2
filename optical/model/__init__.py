"""Late-interaction encoders: text to token embeddings, MaxSim between them, and the folders they live in."""
