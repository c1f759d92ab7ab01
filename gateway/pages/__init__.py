"""Pages for people: plain HTML, made here, which runs nothing and loads nothing from elsewhere."""
