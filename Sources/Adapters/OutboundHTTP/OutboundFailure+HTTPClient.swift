import AsyncHTTPClient
import MeteringPorts
import NIOCore
import NIOPosix
import NIOSSL

extension OutboundFailure {
    /// What an error of the client means. Its own words stay out where they could hold the address.
    init(_ error: any Error, host: String) {
        switch error {
        case let error as HTTPClientError:
            self.init(error, host: host)
        case is NIOConnectionError, is ChannelError:
            self.init(code: .unreachable, message: "no connection to \(host)")
        case let error as IOError:
            self.init(
                code: .unreachable, message: "no connection to \(host) (errno \(error.errnoCode))",
                mayHaveArrived: error.errnoCode == ECONNRESET || error.errnoCode == EPIPE)
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            self.init(
                code: .tls, message: "no secure connection to \(host): \(Self.cause(error))")
        case is CancellationError:
            self.init(code: .closed, message: "the request was given up", mayHaveArrived: true)
        default:
            self.init(
                code: .broken, message: "the connection to \(host) broke", mayHaveArrived: true)
        }
    }

    /// Of a failed handshake, for people.
    private static func cause(_ error: any Error) -> String {
        if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
            return "its certificate is for another name"
        }
        // BoringSSL's reason shows nowhere else than in the text.
        if "\(error)".contains("CERTIFICATE_VERIFY_FAILED") {
            return "its certificate is out of date or of no trusted authority; an operator can add "
                + "one with --outbound-ca"
        }
        return "its certificate or TLS version was not accepted"
    }

    private init(_ error: HTTPClientError, host: String) {
        switch error {
        case .connectTimeout, .getConnectionFromPoolTimeout:
            self.init(code: .timeout, message: "no connection to \(host) in time")
        case .tlsHandshakeTimeout:
            self.init(code: .timeout, message: "no secure connection to \(host) in time")
        case .deadlineExceeded, .readTimeout, .writeTimeout:
            self.init(
                code: .timeout, message: "\(host) did not answer in time", mayHaveArrived: true)
        case .alreadyShutdown:
            self.init(code: .closed, message: "this process is ending")
        case .cancelled:
            self.init(code: .closed, message: "the request was given up", mayHaveArrived: true)
        case .invalidURL, .emptyHost, .emptyScheme:
            self.init(code: .refused, message: "the address of \(host) cannot be read")
        default:
            self.init(
                code: .broken,
                message: "the connection to \(host) broke: \(error.shortDescription)",
                mayHaveArrived: true)
        }
    }
}
