"""What the clients of SPDY and of WebSocket share: a socket, what was read from it, and the loop that takes it apart."""


class Wire:
    """The heir has _frame(), the next whole frame in .unread as a tuple or None, and _take(*frame)."""

    def __init__(self, wire, unread):
        self.wire, self.unread, self.over = wire, unread, False

    def pump(self, done):
        """Reads frames until done() holds (True) or the connection is over (what done() says then)."""
        while not done():
            frame = self._frame()
            if frame:
                self._take(*frame)
            elif self.over:
                break
            else:
                try:
                    piece = self.wire.recv(65536)
                except ConnectionResetError:
                    piece = b""
                if piece:
                    self.unread += piece
                else:
                    self.over = True
        return done()
