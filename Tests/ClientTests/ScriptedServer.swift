import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// What a server does to the requests it gets, one act after the other; the last one for ever.
final class ServerScript: Sendable {
    enum Act: Sendable {
        /// Takes the request and closes the connection without a word.
        case hangUp
        case answer(status: Int, headers: [String: String] = [:], body: String)
    }

    private let acts: Mutex<[Act]>
    private let bodies = Mutex<[String]>([])

    init(_ acts: [Act]) { self.acts = Mutex(acts) }

    /// Bodies of the requests so far.
    var seen: [String] { bodies.withLock { $0 } }

    func next(body: String) -> Act {
        bodies.withLock { $0.append(body) }
        return acts.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
    }

    /// Serves on a free port until `body` is done.
    func serve<Value: Sendable>(
        _ body: (_ port: Int) async throws -> Value
    ) async throws -> Value {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(ScriptedHandler(self))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let result: Result<Value, any Error>
        do { result = .success(try await body(channel.localAddress?.port ?? 0)) } catch {
            result = .failure(error)
        }
        try await channel.close().get()
        return try result.get()
    }
}

private final class ScriptedHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let script: ServerScript
    private var body = ""

    init(_ script: ServerScript) { self.script = script }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: body = ""
        case .body(let part): body += String(buffer: part)
        case .end: act(context)
        }
    }

    private func act(_ context: ChannelHandlerContext) {
        guard case .answer(let status, let headers, let text) = script.next(body: body) else {
            return context.close(promise: nil)
        }
        var fields = HTTPHeaders(headers.map { ($0.key, $0.value) })
        fields.add(name: "Content-Length", value: String(text.utf8.count))
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
