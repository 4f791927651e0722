"""As little of Django as channels needs."""

SECRET_KEY = "only-for-this-measurement"
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 2000}}}
