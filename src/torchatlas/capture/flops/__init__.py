"""Operations of a call, counted while it runs."""
