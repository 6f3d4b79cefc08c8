import AlertKeys
import Foundation
import Testing

@Suite("Alert keys") struct KeyFileTests {
    /// A directory that does not exist yet, removed afterwards.
    private static func withDirectory(_ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "/tollgate-keys-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test("HMAC-SHA256: RFC 4231, case 2, and Standard Webhooks' example") func knownAnswers()
        throws
    {
        try Self.withDirectory { path in
            let keys = try AlertKeyFiles(directory: path)
            let code = keys.authenticationCode(
                key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
            #expect(
                code.map { String($0, radix: 16) }.joined().hasPrefix("5bdcc146bf60754e6a42426"))
            let key = Data(base64Encoded: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") ?? Data()
            let content = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}"
            let signature = keys.authenticationCode(key: Array(key), Array(content.utf8))
            #expect(
                Data(signature).base64EncodedString()
                    == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        }
    }

    @Test("what is sealed opens in its context only, after restarts and rotations") func sealing()
        throws
    {
        try Self.withDirectory { path in
            let first = try AlertKeyFiles(directory: path)
            let plain = Array("whsec".utf8)
            let sealed = try #require(first.seal(plain, context: "a"))
            #expect(!sealed.contains(plain))
            #expect(first.open(sealed, context: "a") == plain)
            #expect(first.open(sealed, context: "b") == nil)
            for index in sealed.indices {
                var altered = sealed
                altered[index] ^= 1
                #expect(first.open(altered, context: "a") == nil)
            }
            #expect(first.open([], context: "a") == nil)
            let name = first.fingerprint(plain)
            try AlertKeyFiles.rotate(directory: path)
            let second = try AlertKeyFiles(directory: path)
            #expect(second.open(sealed, context: "a") == plain)
            #expect(second.fingerprint(plain) == name)
            let other = try #require(second.seal(plain, context: "a"))
            #expect(first.open(other, context: "a") == nil)
            #expect(second.open(other, context: "a") == plain)
        }
    }

    @Test("key files are their owner's only, and broken ones stop the start") func files() throws {
        try Self.withDirectory { path in
            _ = try AlertKeyFiles(directory: path)
            let manager = FileManager.default
            let names = try manager.contentsOfDirectory(atPath: path)
            let name = try #require(names.first)
            #expect(names.count == 1)
            let mode = try manager.attributesOfItem(atPath: path + "/" + name)[.posixPermissions]
            #expect(mode as? Int == 0o600)
            try Data("short".utf8).write(to: URL(fileURLWithPath: path + "/" + name))
            #expect(throws: KeyFileError.self) { try AlertKeyFiles(directory: path) }
            try manager.removeItem(atPath: path + "/" + name)
            try Data("x".utf8).write(to: URL(fileURLWithPath: path + "/other.key"))
            #expect(throws: KeyFileError.self) { try AlertKeyFiles(directory: path) }
        }
    }
}

extension [UInt8] {
    fileprivate func contains(_ other: [UInt8]) -> Bool {
        indices.contains { self[$0...].starts(with: other) }
    }
}
