"""Mail systems we keep audiences in step with, and whose opt-outs come home."""
