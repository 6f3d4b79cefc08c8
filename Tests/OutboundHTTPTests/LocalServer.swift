import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP/1.1 server on a free loopback port that behaves as a test wants.
final class LocalServer: Sendable {
    /// What it does with a request; `close` and silence are answers too.
    enum Behaviour: Sendable {
        case answer(Int, headers: [(String, String)] = [], body: String = "")
        /// Sends so many bytes, in chunks, as fast as they are taken.
        case flood(Int)
        /// A head, then a byte now and then, for ever.
        case drip
        case silence
        case close
    }

    struct Seen: Sendable {
        var head: HTTPRequestHead
        var body: String
        /// Which connection it came over, from 1.
        var connection: Int
    }

    private let channel: any Channel
    private let requests: Requests
    var port: Int { channel.localAddress?.port ?? 0 }
    var seen: [Seen] { requests.all }

    private init(_ channel: any Channel, _ requests: Requests) {
        self.channel = channel
        self.requests = requests
    }

    static func start(
        _ behaviour: @escaping @Sendable (HTTPRequestHead) -> Behaviour
    ) async throws -> LocalServer {
        let requests = Requests()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { child in
                child.eventLoop.makeCompletedFuture {
                    try child.pipeline.syncOperations.configureHTTPServerPipeline()
                    try child.pipeline.syncOperations.addHandler(
                        Handler(behaviour, requests, connection: requests.nextConnection()))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return LocalServer(channel, requests)
    }

    func stop() async throws { try await channel.close() }

    fileprivate final class Requests: Sendable {
        private let state = Mutex<(seen: [Seen], connections: Int)>(([], 0))
        var all: [Seen] { state.withLock { $0.seen } }
        func append(_ seen: Seen) { state.withLock { $0.seen.append(seen) } }
        func nextConnection() -> Int {
            state.withLock {
                $0.connections += 1
                return $0.connections
            }
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let behaviour: @Sendable (HTTPRequestHead) -> Behaviour
        private let requests: Requests
        private let connection: Int
        private var head: HTTPRequestHead?
        private var body = ""

        init(
            _ behaviour: @escaping @Sendable (HTTPRequestHead) -> Behaviour, _ requests: Requests,
            connection: Int
        ) {
            self.behaviour = behaviour
            self.requests = requests
            self.connection = connection
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body = ""
            case .body(let bytes): body += String(buffer: bytes)
            case .end:
                guard let head else { return }
                requests.append(Seen(head: head, body: body, connection: connection))
                act(behaviour(head), context)
            }
        }

        private func act(_ behaviour: Behaviour, _ context: ChannelHandlerContext) {
            switch behaviour {
            case .answer(let status, let headers, let body):
                var fields = HTTPHeaders(headers)
                fields.add(name: "Content-Length", value: String(body.utf8.count))
                write(.head(response(status, fields)), context)
                write(.body(.byteBuffer(ByteBuffer(string: body))), context)
                finish(context)
            case .flood(let count):
                write(.head(response(200, [:])), context)
                flood(count, context)
            case .drip:
                write(.head(response(200, [:])), context)
                drip(context)
            case .silence: break
            case .close: context.close(promise: nil)
            }
        }

        private func response(_ status: Int, _ headers: HTTPHeaders) -> HTTPResponseHead {
            HTTPResponseHead(
                version: .http1_1, status: .init(statusCode: status), headers: headers)
        }

        private func write(_ part: HTTPServerResponsePart, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(part), promise: nil)
        }

        private func finish(_ context: ChannelHandlerContext) { write(.end(nil), context) }

        /// The next chunk when the last one is gone, so that nothing piles up here.
        private func flood(_ count: Int, _ context: ChannelHandlerContext) {
            if count <= 0 { return finish(context) }
            let chunk = ByteBuffer(repeating: UInt8(ascii: "x"), count: min(count, 16_384))
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(chunk)))).whenSuccess {
                let (handler, context) = bound.value
                handler.flood(count - chunk.readableBytes, context)
            }
        }

        private func drip(_ context: ChannelHandlerContext) {
            write(.body(.byteBuffer(ByteBuffer(string: "."))), context)
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: .milliseconds(100)) {
                let (handler, context) = bound.value
                if context.channel.isActive { handler.drip(context) }
            }
        }
    }
}
