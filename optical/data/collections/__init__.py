"""Test collections: passages, topics and judgements, from a user's folder or a registered benchmark."""
