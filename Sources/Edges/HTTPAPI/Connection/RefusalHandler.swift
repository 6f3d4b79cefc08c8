internal import NIOCore

/// Tells one connection too many to come back later.
final class RefusalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let answer = ByteBuffer(
        staticString: """
            HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\
            Connection: close\r\n\r\n
            """)

    /// A client that waits for a TLS handshake could not read the answer; it is just closed.
    let isSilent: Bool

    init(isSilent: Bool) { self.isSilent = isSilent }

    func channelActive(context: ChannelHandlerContext) {
        if isSilent { return context.close(promise: nil) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(Self.answer), promise: promise)
    }
}
