import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Why there is no reply.
struct HTTPExchangeError: Error, Sendable {
    var reason: String
    /// What to do about it, where that is known.
    var hint: String?
}

/// One request on a connection of its own, over SwiftNIO.
///
/// Not over URLSession: on Linux (Foundation of Swift 6.3) it repeats a POST on a dying connection
/// without its body, and now and then never reports that a connection was refused. Either stalled an
/// import while the server was restarted.
enum HTTPExchange {
    private static let connectSecondsMax: Int64 = 5

    /// - Parameter timeoutSeconds: from the start of connecting to the end of the reply.
    static func run(
        _ address: ServerAddress, authorityFile: String? = nil, head: HTTPRequestHead, body: Data?,
        timeoutSeconds: Double
    ) async throws(HTTPExchangeError) -> APIReply {
        let secure = try address.isSecure ? Self.secureContext(authorityFile) : nil
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: APIReply.self)
        let timeout = loop.scheduleTask(in: .milliseconds(Int64(timeoutSeconds * 1_000))) {
            promise.fail(HTTPExchangeError(reason: "no answer in time"))
        }
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(connectSecondsMax))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let secure {
                        // A name of an address proves nothing in the handshake; only names are sent.
                        let isName = (try? SocketAddress(ipAddress: address.host, port: 0)) == nil
                        try pipeline.addHandler(
                            NIOSSLClientHandler(
                                context: secure, serverHostname: isName ? address.host : nil))
                    }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(
                        ExchangeHandler(
                            head: head, body: body, isSecure: secure != nil, promise: promise))
                }
            }
            .connect(host: address.host, port: address.port)
            .whenComplete { result in
                switch result {
                // However it ends, the connection ends with it.
                case .success(let channel):
                    promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
                case .failure(let error): promise.fail(error)
                }
            }
        let reply = await withTaskCancellationHandler {
            await Self.result(of: promise.futureResult)
        } onCancel: {
            promise.fail(HTTPExchangeError(reason: "cancelled"))
        }
        timeout.cancel()
        return try reply.get()
    }

    private static func secureContext(
        _ authorityFile: String?
    ) throws(HTTPExchangeError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let authorityFile {
            configuration.additionalTrustRoots = [.file(authorityFile)]
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw HTTPExchangeError(reason: "cannot set TLS up: \(error)")
        }
    }

    private static func result(
        of future: EventLoopFuture<APIReply>
    ) async -> Result<APIReply, HTTPExchangeError> {
        do {
            return .success(try await future.get())
        } catch let error as HTTPExchangeError {
            return .failure(error)
        } catch {
            return .failure(secureProblem(error) ?? HTTPExchangeError(reason: reason(error)))
        }
    }

    /// What went wrong in a handshake, in words; nil when that is not what it was.
    private static func secureProblem(_ error: any Error) -> HTTPExchangeError? {
        // BoringSSL's reasons are only in the text.
        let text = String(describing: error)
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return HTTPExchangeError(
                reason: "certificate not trusted",
                hint: "Name its CA with --ca-cert or TOLLGATE_CA_CERT.")
        }
        if let extra = error as? NIOSSLExtraError, extra == .failedToValidateHostname {
            return HTTPExchangeError(
                reason: "the certificate is for another host name",
                hint: "Use the name that the certificate was made for.")
        }
        if text.contains("WRONG_VERSION_NUMBER") {
            return HTTPExchangeError(
                reason: "no TLS on that port", hint: "If the server speaks plain HTTP, use http://."
            )
        }
        if error is HTTPParserError {
            return HTTPExchangeError(
                reason: "the answer is not HTTP", hint: ExchangeHandler.httpsHint)
        }
        return nil
    }

    private static func reason(_ error: any Error) -> String {
        if let connection = error as? NIOConnectionError {
            if connection.dnsAError != nil, connection.connectionErrors.isEmpty {
                return "host not found"
            }
            if let first = connection.connectionErrors.first { return reason(first.error) }
        }
        if let failure = error as? IOError {
            switch failure.errnoCode {
            case ECONNREFUSED: return "connection refused"
            case ECONNRESET, EPIPE: return "connection lost"
            case EHOSTUNREACH, ENETUNREACH: return "no way to the host"
            default: return failure.description
            }
        }
        if case .connectTimeout = error as? ChannelError { return "no connection in time" }
        return "\(error)"
    }
}

/// Sends the request when the connection stands, and gathers the reply.
private final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private static let replyBytesMax = 256 << 20
    static let httpsHint = "If the server has a certificate, use https://."

    private let head: HTTPRequestHead
    private let body: Data?
    private let isSecure: Bool
    private let promise: EventLoopPromise<APIReply>
    private var reply: APIReply?

    init(
        head: HTTPRequestHead, body: Data?, isSecure: Bool, promise: EventLoopPromise<APIReply>
    ) {
        self.head = head
        self.body = body
        self.isSecure = isSecure
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body {
            context.write(
                wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            reply = APIReply(
                status: Int(head.status.code),
                retryAfterSeconds: head.headers.first(name: "Retry-After").flatMap(Double.init),
                body: Data(), headers: head.headers)
        case .body(let part):
            reply?.body.append(contentsOf: part.readableBytesView)
            if let count = reply?.body.count, count > Self.replyBytesMax {
                promise.fail(HTTPExchangeError(reason: "the answer is larger than 256 MiB"))
            }
        case .end:
            if let reply { promise.succeed(reply) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // A TLS server hangs up on plain HTTP without a word.
        let hint = reply == nil && !isSecure ? Self.httpsHint : nil
        promise.fail(HTTPExchangeError(reason: "connection lost", hint: hint))
        context.fireChannelInactive()
    }
}
