import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Somebody else's HTTP server on a loopback port that stays its own: it can go and come back.
final class HTTPStandIn: Sendable {
    struct Request: Sendable {
        var method: String
        var path: String
        /// By lower-case name.
        var headers: [String: String]
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    enum Reply: Sendable {
        case answer(Int, headers: [String: String] = [:], body: String = "")
        case close
        /// Nothing, ever.
        case silence
    }

    typealias Behaviour = @Sendable (Request) async -> Reply

    private struct State {
        var server: (any Channel)?
        var port = 0
        var connections: [ObjectIdentifier: any Channel] = [:]
        var requestCount = 0
    }

    private let behaviour: Behaviour
    private let tls: NIOSSLContext?
    private let state = Mutex(State())

    private init(_ tls: NIOSSLContext?, _ behaviour: @escaping Behaviour) {
        self.tls = tls
        self.behaviour = behaviour
    }

    /// - Parameter tls: of https; nil: plain http.
    static func start(
        tls: NIOSSLContext? = nil, _ behaviour: @escaping Behaviour
    ) async throws -> HTTPStandIn {
        let site = HTTPStandIn(tls, behaviour)
        try await site.start()
        return site
    }

    var port: Int { state.withLock { $0.port } }
    var url: String { "\(tls == nil ? "http" : "https")://127.0.0.1:\(port)" }
    var requestCount: Int { state.withLock { $0.requestCount } }

    /// Listens, on the port that it had before.
    func start() async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [self] child in
                child.eventLoop.makeCompletedFuture {
                    add(child)
                    if let tls {
                        try child.pipeline.syncOperations.addHandler(
                            NIOSSLServerHandler(context: tls))
                    }
                    try child.pipeline.syncOperations.configureHTTPServerPipeline()
                    try child.pipeline.syncOperations.addHandler(Handler(self))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        state.withLock { state in
            state.server = server
            state.port = server.localAddress?.port ?? 0
        }
    }

    /// Gone, with every connection.
    func stop() async throws {
        let (server, connections) = state.withLock { state in
            defer { state.server = nil }
            return (state.server, Array(state.connections.values))
        }
        try await server?.close()
        for connection in connections { try? await connection.close() }
    }

    private func add(_ child: any Channel) {
        let key = ObjectIdentifier(child)
        state.withLock { $0.connections[key] = child }
        child.closeFuture.whenComplete { [self] _ in
            state.withLock { _ = $0.connections.removeValue(forKey: key) }
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let site: HTTPStandIn
        private var request = Request(method: "", path: "", headers: [:], body: [])

        init(_ site: HTTPStandIn) { self.site = site }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                request = Request(
                    method: head.method.rawValue, path: head.uri,
                    headers: Dictionary(
                        head.headers.map { ($0.name.lowercased(), $0.value) },
                        uniquingKeysWith: { $0 + ", " + $1 }),
                    body: [])
            case .body(let bytes): request.body += bytes.readableBytesView
            case .end:
                site.state.withLock { $0.requestCount += 1 }
                let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
                let (loop, request, behaviour) = (context.eventLoop, request, site.behaviour)
                Task {
                    let reply = await behaviour(request)
                    loop.execute {
                        let (handler, context) = bound.value
                        if context.channel.isActive { handler.act(reply, context) }
                    }
                }
            }
        }

        private func act(_ reply: Reply, _ context: ChannelHandlerContext) {
            switch reply {
            case .answer(let status, let headers, let body):
                var fields = HTTPHeaders(headers.map { ($0.key, $0.value) })
                fields.add(name: "Content-Length", value: String(body.utf8.count))
                let head = HTTPResponseHead(
                    version: .http1_1, status: .init(statusCode: status), headers: fields)
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.write(
                    wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            case .close: context.close(promise: nil)
            case .silence: break
            }
        }
    }
}
