import NIOSSL

/// A certificate authority that the test makes with openssl.
struct TestAuthority {
    private static let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]

    private let folder: TestFolder

    init() async throws {
        folder = try TestFolder()
        try await openssl(["-subj", "/CN=test authority"], key: "ca.key", certificate: "ca.pem")
    }

    /// PEM, for `--outbound-ca`.
    var file: String { folder.path + "/ca.pem" }

    /// What a server needs to speak TLS under these names, such as `DNS:localhost,IP:127.0.0.1`.
    func server(_ names: String) async throws -> NIOSSLContext {
        let (key, certificate) = ("server.key", "server.pem")
        try await openssl(
            [
                "-CA", file, "-CAkey", folder.path + "/ca.key", "-subj", "/CN=test server",
                "-addext", "basicConstraints=critical,CA:FALSE", "-addext",
                "subjectAltName=" + names,
            ], key: key, certificate: certificate)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: NIOSSLCertificate.fromPEMFile(folder.path + "/" + certificate)
                    .map { .certificate($0) },
                privateKey: .privateKey(
                    NIOSSLPrivateKey(file: folder.path + "/" + key, format: .pem))))
    }

    private func openssl(_ more: [String], key: String, certificate: String) async throws {
        let made = try await run(
            "/usr/bin/openssl",
            ["req", "-x509", "-nodes", "-days", "2"] + Self.curve + more
                + ["-keyout", folder.path + "/" + key, "-out", folder.path + "/" + certificate],
            folder: folder, name: "openssl")
        guard made.code == 0 else { throw Unmet("openssl: \(made.errors)") }
    }
}
