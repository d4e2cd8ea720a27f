"""A recurrence rule in one sentence, in any language that has a catalogue; never a wrong sentence."""

__all__: tuple[str, ...] = ()
