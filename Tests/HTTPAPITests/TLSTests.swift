import Foundation
import HTTPAPI
import NIOCore
import NIOSSL
import Testing

/// HTTPS with certificates that the test makes itself.
@Suite struct TLSTests {
    /// A folder with a certificate, gone with the test.
    private final class Certificates {
        let folder: URL
        let files: TLSFiles

        init() throws {
            folder = FileManager.default.temporaryDirectory
                .appendingPathComponent("tollgate-tls-" + UUID().uuidString)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            files = TLSFiles(
                certificateChain: folder.appendingPathComponent("chain.pem").path,
                privateKey: folder.appendingPathComponent("key.pem").path)
            try make()
        }

        deinit { try? FileManager.default.removeItem(at: folder) }

        /// Writes a new self-signed pair over the old one.
        func make() throws {
            let openssl = Process()
            openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            openssl.arguments = [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", files.privateKey, "-out",
                files.certificateChain,
            ]
            openssl.standardError = FileHandle.nullDevice
            try openssl.run()
            openssl.waitUntilExit()
            try #require(openssl.terminationStatus == 0, "openssl is needed")
        }

        /// A client that trusts the certificate as it is now.
        func client() throws -> NIOSSLContext {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .certificates(
                try NIOSSLCertificate.fromPEMFile(files.certificateChain))
            // A client that keeps its side open for reading waits this long at its end.
            configuration.shutdownTimeout = .milliseconds(50)
            return try NIOSSLContext(configuration: configuration)
        }
    }

    private static let check = Harness.request(
        "POST", "/v1/check", #"{"customer":"acme","feature":"tokens"}"#)

    @Test func requestsOverTLS() async throws {
        let certificates = try Certificates()
        try await Harness.run {
            $0.tls = certificates.files
        } _: { server in
            let tls = try certificates.client()
            try await server.connect(tls: tls) { wire in
                for _ in 0..<3 {
                    try await wire.send(Self.check)
                    #expect(try await wire.reply().json["feature"] as? String == "tokens")
                }
                try await wire.send(
                    Harness.request("GET", "/v1/customers", headers: [("Connection", "close")]))
                #expect(try await wire.reply().status == 200)
                #expect(await wire.isEnded())
            }
            // No plain text here, no TLS on the operator's port.
            try await server.connect { wire in
                try await wire.send(Self.check)
                await #expect(throws: (any Error).self) { try await wire.reply() }
            }
            #expect(try await server.send("GET", "/healthz", admin: true).status == 200)
        }
    }

    /// More than one record, so that the end of the answer and of the connection meet.
    @Test func largeAnswersArriveWhole() async throws {
        let certificates = try Certificates()
        try await Harness.run {
            $0.tls = certificates.files
        } _: { server in
            let tls = try certificates.client()
            let yaml = "#" + String(repeating: "x", count: 3_000_000)
            #expect(try await server.send("POST", "/v1/catalog", yaml, tls: tls).status == 200)
            try await server.connect(tls: tls) { wire in
                try await wire.send(
                    Harness.request("GET", "/v1/catalog", headers: [("Connection", "close")]))
                #expect(try await wire.reply().body.utf8.count == yaml.utf8.count)
                #expect(await wire.isEnded())
            }
        }
    }

    @Test func changedFilesAreForNewConnections() async throws {
        let certificates = try Certificates()
        try await Harness.run {
            $0.tls = certificates.files
        } _: { server in
            let before = try certificates.client()
            #expect(!server.server.reloadCertificate())
            try await server.connect(tls: before) { open in
                try await open.send(Self.check)
                #expect(try await open.reply().status == 200)

                try certificates.make()
                let after = try certificates.client()
                #expect(server.server.reloadCertificate())
                #expect(try await server.send("GET", "/v1/customers", tls: after).status == 200)
                await #expect(throws: (any Error).self) {
                    try await server.send("GET", "/v1/customers", tls: before)
                }
                try await open.send(Self.check)
                #expect(try await open.reply().status == 200)

                // A pair that does not fit, and one that is not there, change nothing.
                let other = try Certificates()
                try FileManager.default.removeItem(atPath: certificates.files.privateKey)
                #expect(!server.server.reloadCertificate())
                try FileManager.default.copyItem(
                    atPath: other.files.privateKey, toPath: certificates.files.privateKey)
                #expect(!server.server.reloadCertificate())
                #expect(try await server.send("GET", "/v1/customers", tls: after).status == 200)
            }
        }
    }

    @Test func startSaysWhatIsWrong() async throws {
        let certificates = try Certificates()
        let other = try Certificates()
        let text = certificates.folder.appendingPathComponent("text").path
        try "no certificate".write(toFile: text, atomically: true, encoding: .utf8)
        let good = certificates.files
        let cases: [(TLSFiles, String)] = [
            (
                .init(certificateChain: good.certificateChain + "x", privateKey: good.privateKey),
                "no such file"
            ),
            (
                .init(certificateChain: good.certificateChain, privateKey: good.privateKey + "x"),
                "no such file"
            ),
            (.init(certificateChain: text, privateKey: good.privateKey), "certificate"),
            (.init(certificateChain: good.certificateChain, privateKey: text), "private key"),
            (
                .init(certificateChain: good.certificateChain, privateKey: other.files.privateKey),
                "does not belong"
            ),
        ]
        for (files, reason) in cases {
            var message = ""
            do {
                try await Harness.run({ $0.tls = files }) { _ in }
            } catch let error as HTTPServerError {
                message = error.message
                #expect(!error.isAddressInUse && !error.isAdmin)
            }
            #expect(message.hasPrefix("TLS: ") && message.contains(reason), "\(message)")
        }
    }
}
