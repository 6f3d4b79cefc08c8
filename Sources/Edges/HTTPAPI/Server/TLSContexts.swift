internal import Glibc
internal import Logging
internal import NIOCore
internal import NIOSSL
internal import Synchronization

/// The certificate that new connections are given, read again when its files change.
///
/// A pair that cannot be used (half written, key of another certificate) leaves the one in force in
/// its place; connections that are open keep theirs.
final class TLSContexts: Sendable {
    private struct Pair: Sendable {
        var chain: [NIOSSLCertificate]
        var key: NIOSSLPrivateKey
        var context: NIOSSLContext
    }

    private let files: TLSFiles
    private let pair: Mutex<Pair>

    init(_ files: TLSFiles) throws(HTTPServerError) {
        self.files = files
        pair = Mutex(try Self.load(files))
    }

    var current: NIOSSLContext { pair.withLock { $0.context } }

    /// Looks at the files again.
    /// - Returns: whether another pair is in force now.
    @discardableResult
    func reload(_ logger: Logger) -> Bool {
        let before = pair.withLock { $0 }
        do throws(HTTPServerError) {
            let next = try Self.load(files)
            if next.chain == before.chain, next.key == before.key { return false }
            pair.withLock { $0 = next }
            logger.info("new connections use the changed TLS certificate")
            return true
        } catch {
            logger.error("the TLS certificate stays as it was: \(error.message)")
            return false
        }
    }

    private static func load(_ files: TLSFiles) throws(HTTPServerError) -> Pair {
        let chain: [NIOSSLCertificate] = try read(files.certificateChain, "certificate chain") {
            try NIOSSLCertificate.fromPEMFile($0)
        }
        guard !chain.isEmpty else {
            throw problem("\(files.certificateChain) holds no PEM certificate")
        }
        let key = try read(files.privateKey, "private key") {
            try NIOSSLPrivateKey(file: $0, format: .pem)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        // What is left to wait for when we close is only the client's word that it has closed too.
        configuration.shutdownTimeout = .seconds(1)
        do {
            return Pair(
                chain: chain, key: key, context: try NIOSSLContext(configuration: configuration))
        } catch {
            throw problem(
                "the private key in \(files.privateKey) does not belong to the first certificate in "
                    + "\(files.certificateChain) (\(error))")
        }
    }

    private static func read<Value>(
        _ path: String, _ what: String, _ parse: (String) throws -> Value
    ) throws(HTTPServerError) -> Value {
        // SAFETY: the path is passed as a C string that lives for the call.
        if unsafe access(path, R_OK) != 0 {
            let isMissing = errno == ENOENT
            throw problem("cannot read \(path): \(isMissing ? "no such file" : "not allowed")")
        }
        do {
            return try parse(path)
        } catch {
            throw problem("\(path) holds no PEM \(what) that can be read (\(error))")
        }
    }

    private static func problem(_ message: String) -> HTTPServerError {
        HTTPServerError(message: "TLS: " + message, isAddressInUse: false, isAdmin: false)
    }
}
