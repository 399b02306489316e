"""Where frames go: one loop for every destination (`runner`), what they are behind one port."""
