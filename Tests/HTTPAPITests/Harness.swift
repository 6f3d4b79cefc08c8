import Foundation
import HTTPAPI
import Logging
import MeteringModel
import MeteringPorts
import NIOCore
import NIOPosix
import NIOSSL

/// A server with fakes behind it, on free loopback ports.
struct Harness {
    let gate = FakeGate()
    let ingest = FakeIngest()
    let reporting = FakeReporting()
    let catalog = FakeCatalog()
    let operations = FakeOperations()
    let control = FakeControl()
    let desk = FakeDesk()
    let billing = FakeBilling()
    let access = FakeAccess()
    let signals = FakeSignals()
    let simulation = FakeSimulation()
    let services: HTTPServices
    let server: HTTPServer
    let port: Int
    let adminPort: Int

    static func options() -> HTTPOptions {
        HTTPOptions(
            clock: WallClock { Timestamp(seconds: 1_795_256_103) },
            offsetSeconds: { zone, _ in zone == "Europe/Berlin" ? 3_600 : 0 })
    }

    private init(_ configure: (inout HTTPOptions) -> Void) async throws {
        var options = Self.options()
        configure(&options)
        var services = HTTPServices(
            gate: gate, ingest: ingest, reporting: reporting, catalog: catalog,
            control: control, access: access, operations: operations, logger: Logger(label: "test"))
        services.billing = billing
        services.alerts = desk
        services.signals = signals
        services.simulation = simulation
        self.services = services
        server = HTTPServer(services: services, options: options)
        do {
            port = try await server.start(host: "127.0.0.1", port: 0).port
            adminPort = try await server.startAdmin(host: "127.0.0.1", port: 0).port
        } catch {
            await server.drain(timeout: .zero)
            throw error
        }
    }

    static func run(
        _ configure: (inout HTTPOptions) -> Void = { _ in },
        _ body: (Harness) async throws -> Void
    ) async throws {
        let harness = try await Harness(configure)
        do {
            try await body(harness)
        } catch {
            harness.gate.latch.open()
            await harness.server.drain(timeout: .seconds(2))
            throw error
        }
        harness.gate.latch.open()
        await harness.server.drain(timeout: .seconds(2))
    }

    func connect<Result>(
        admin: Bool = false, tls: NIOSSLContext? = nil,
        _ body: (inout Wire) async throws -> Result
    ) async throws -> Result {
        try await Wire.open(port: admin ? adminPort : port, tls: tls, body)
    }

    /// One request on a connection of its own.
    func send(
        _ method: String, _ target: String, _ body: String = "",
        headers: [(String, String)] = [], admin: Bool = false, tls: NIOSSLContext? = nil
    ) async throws -> Reply {
        try await connect(admin: admin, tls: tls) { wire in
            try await wire.send(Self.request(method, target, body, headers: headers))
            return try await wire.reply(toHead: method == "HEAD")
        }
    }

    static func request(
        _ method: String, _ target: String, _ body: String = "",
        headers: [(String, String)] = []
    ) -> String {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: test\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if !body.isEmpty { text += "Content-Length: \(body.utf8.count)\r\n" }
        return text + "\r\n" + body
    }
}

struct Reply {
    var status: Int
    var headers: [String: String]
    var body: String

    var json: [String: Any] {
        get throws {
            let value = try JSONSerialization.jsonObject(with: Data(body.utf8))
            return value as? [String: Any] ?? [:]
        }
    }

    var code: String? { (try? json["code"]) as? String }
    var field: String? { (try? json["field"]) as? String }
}

/// A client's end of a TCP connection, and a reader of answers.
struct Wire {
    private var inbound: AsyncStream<ByteBuffer>.Iterator
    private let channel: any Channel
    private var received = ByteBuffer()

    struct Ended: Error {}

    /// Hands what arrives to a stream, which ends when the server closes its side.
    private final class Receiver: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let stream: AsyncStream<ByteBuffer>.Continuation
        init(_ stream: AsyncStream<ByteBuffer>.Continuation) { self.stream = stream }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            stream.yield(unwrapInboundIn(data))
        }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { stream.finish() }
        }
        func channelInactive(context: ChannelHandlerContext) { stream.finish() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { stream.finish() }
    }

    static func open<Result>(
        port: Int, tls: NIOSSLContext? = nil, _ body: (inout Wire) async throws -> Result
    ) async throws -> Result {
        let (stream, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        let handler = try NIOSSLClientHandler(
                            context: tls, serverHostname: "localhost")
                        try pipeline.addHandler(handler)
                    }
                    try pipeline.addHandler(Receiver(continuation))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        var wire = Wire(inbound: stream.makeAsyncIterator(), channel: channel)
        do {
            let result = try await body(&wire)
            try? await channel.close().get()
            return result
        } catch {
            try? await channel.close().get()
            throw error
        }
    }

    private init(inbound: AsyncStream<ByteBuffer>.Iterator, channel: any Channel) {
        self.inbound = inbound
        self.channel = channel
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }
    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }
    func finishSending() async throws { try await channel.close(mode: .output).get() }

    private mutating func fill() async throws {
        guard var more = await inbound.next(isolation: #isolation) else { throw Ended() }
        received.writeBuffer(&more)
    }

    private mutating func line() async throws -> String {
        while true {
            if let end = received.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                let line = received.readString(length: end - received.readerIndex + 1) ?? ""
                return String(
                    decoding: line.utf8.filter { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
            }
            try await fill()
        }
    }

    mutating func reply(toHead: Bool = false) async throws -> Reply {
        let status = Int(try await line().split(separator: " ")[1]) ?? 0
        var headers: [String: String] = [:]
        while true {
            let field = try await line()
            if field.isEmpty { break }
            let parts = field.split(separator: ":", maxSplits: 1)
            let value = parts[1].trimmingCharacters(in: .whitespaces)
            headers[parts[0].lowercased()] = value
        }
        var body = ""
        if status >= 200, !toHead {
            let length = Int(headers["content-length"] ?? "") ?? 0
            while received.readableBytes < length { try await fill() }
            body = received.readString(length: length) ?? ""
        }
        return Reply(status: status, headers: headers, body: body)
    }

    /// True when the server has closed its side and sent nothing more.
    mutating func isEnded() async -> Bool {
        if received.readableBytes > 0 { return false }
        return await inbound.next(isolation: #isolation) == nil
    }
}
