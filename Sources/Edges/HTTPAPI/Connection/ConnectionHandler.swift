internal import NIOCore
internal import NIOHTTP1
internal import NIOTLS

/// One connection: takes requests from NIO's parser, hands them to routes, puts the answers on the
/// wire in the order of the requests. Confined to its event loop.
///
/// Routes that answer at once do so inside `channelRead`; what a read burst produced goes out in
/// one write at its end. Other routes run in tasks, which come back with their ticket.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        case awaitingHead
        case receivingBody
        /// The answer is decided; the rest of the body is read and dropped.
        case droppingBody
        /// No further request is taken from this connection.
        case finished
        /// Everything is answered and our side is closed; waiting for the client's.
        case lingering
    }

    let edge: Edge
    let router: Router
    let loop: LoopState
    let isAdmin: Bool
    /// Whether only this machine can reach the listener.
    let isLoopback: Bool
    var context: ChannelHandlerContext?
    var phase = Phase.awaitingHead
    var current: IncomingRequest?
    var answers = AnswerQueue()
    /// Answers that wait for the end of the read burst.
    var out = ByteBuffer()
    var writer = JSONWriter()
    var isInBurst = false
    private var sawPartInBurst = false
    private var hasPartialHead = false
    private var isReadHeld = false
    private var isInputClosed = false
    private var isOutputClosing = false
    /// Seconds (ticks) in the present phase, and since the client stopped taking answers.
    private var waited = 0
    private var stalled = 0

    init(edge: Edge, router: Router, loop: LoopState, isAdmin: Bool, isLoopback: Bool) {
        self.edge = edge
        self.router = router
        self.loop = loop
        self.isAdmin = isAdmin
        self.isLoopback = isLoopback
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        out.reserveCapacity(4_096)
        loop.insert(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) { detach() }

    func channelInactive(context: ChannelHandlerContext) {
        detach()
        context.fireChannelInactive()
    }

    private func detach() {
        guard context != nil else { return }
        context = nil
        loop.remove(self)
        abandonBody()
        edge.connectionClosed(isAdmin: isAdmin)
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isInBurst = true
        sawPartInBurst = true
        switch unwrapInboundIn(data) {
        case .head(let head): if phase == .awaitingHead { receive(head) }
        case .body(let bytes): if phase == .receivingBody { receive(bytes) }
        case .end: receiveEnd()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isInBurst = false
        if sawPartInBurst {
            hasPartialHead = false
        } else if phase == .awaitingHead, !hasPartialHead {
            // Bytes came and made no part of a message: a head that is not complete.
            hasPartialHead = true
            waited = 0
        }
        sawPartInBurst = false
        flush()
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if answers.count >= edge.options.pipelineDepthMax || !context.channel.isWritable {
            isReadHeld = true
        } else {
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        stalled = 0
        resumeReading()
        context.fireChannelWritabilityChanged()
    }

    func resumeReading() {
        guard isReadHeld, let context, context.channel.isWritable,
            answers.count < edge.options.pipelineDepthMax
        else { return }
        isReadHeld = false
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            // The bytes of this burst were the handshake's and not part of a head.
            sawPartInBurst = true
        } else if let event = event as? ChannelEvent, event == .outputClosed {
            enter(.lingering)
        } else if let event = event as? ChannelEvent, event == .inputClosed {
            isInputClosed = true
            switch phase {
            case .lingering: context.close(promise: nil)
            case .receivingBody, .droppingBody:
                abandonBody()
                enter(.finished)
                closeIfDone()
            case .awaitingHead, .finished:
                phase = .finished
                closeIfDone()
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            context.close(promise: nil)
            return
        }
        guard phase != .lingering, phase != .finished, !isInputClosed else { return }
        refuse(RequestCheck.problem(for: error), abandonBody(), thenCloses: true)
        if !isInBurst { flush() }
    }

    // MARK: Time

    /// Once a second.
    func tick() {
        guard let context else { return }
        let options = edge.options
        if !context.channel.isWritable {
            stalled += 1
            if stalled > options.stallSecondsMax { context.close(promise: nil) }
            return
        }
        guard answers.isEmpty else {
            waited = 0
            return
        }
        waited += 1
        switch phase {
        case .awaitingHead:
            if edge.isDraining, !hasPartialHead { context.close(promise: nil) }
            let bound = hasPartialHead ? options.headSecondsMax : options.idleSecondsMax
            if waited > bound { context.close(promise: nil) }
        case .receivingBody, .droppingBody:
            let isBulk = current?.route.bodyLimit == .bulk
            let bound = isBulk ? options.importSecondsMax : options.bodySecondsMax
            if waited > bound {
                let problem = Problem(
                    status: 408, code: "request_timeout",
                    detail: "the body was not complete within \(bound) s")
                refuse(problem, abandonBody(), thenCloses: true)
                flush()
            }
        case .finished:
            if waited > options.stallSecondsMax { context.close(promise: nil) }
        case .lingering:
            if waited > (edge.isDraining ? 0 : 2) { context.close(promise: nil) }
        }
    }

    func enter(_ phase: Phase) {
        self.phase = phase
        waited = 0
    }

    /// Drain has begun: a connection that owes nothing closes, any other one after its last answer.
    func drain() {
        if phase == .awaitingHead, answers.isEmpty, !hasPartialHead { closeNow() }
    }

    func closeNow() { context?.close(promise: nil) }

    // MARK: Writing

    /// Sends what has been gathered, and closes when that was the last of it.
    func flush() {
        guard let context, !isInBurst else { return }
        guard out.readableBytes > 0 else {
            closeIfDone()
            return
        }
        context.writeAndFlush(wrapOutboundOut(out), promise: nil)
        // Written at once as a rule, so the storage is ours again and is used anew.
        if out.capacity > 64 * 1_024 { out = ByteBuffer() } else { out.clear() }
        closeIfDone()
    }

    /// Closes our side first, once all is sent, and gives the client two seconds to close its own: a
    /// full close with unread input would make the kernel throw away the last answer.
    func closeIfDone() {
        guard let context, phase == .finished, answers.isEmpty, out.readableBytes == 0,
            !isOutputClosing
        else { return }
        isOutputClosing = true
        if isInputClosed {
            // NIO closes such a channel whole and at once, unsent bytes or not: wait behind them.
            let promise = context.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
        } else {
            context.close(mode: .output, promise: nil)
        }
    }
}
