"""How the recording service meets the world: gRPC, streams of audio, WAV files, object storage."""
