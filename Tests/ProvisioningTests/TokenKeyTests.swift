import Foundation
import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@testable import Provisioning

@Suite("Signing keys")
struct TokenKeyTests {
    let fixture: AccessFixture
    var directory: String { fixture.path + "/data/signing-keys" }

    init() throws { fixture = try AccessFixture() }

    private func open() throws -> SigningKeys {
        try SigningKeys(directory: directory, clock: fixture.clock)
    }

    private func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
    }

    private func kids(_ keys: SigningKeys) -> [String] {
        (keys.jwks()["keys"]?.elements ?? []).compactMap { $0["kid"]?.text }
    }

    /// RFC 8037, appendix A.
    @Test func theStandardsVectorVerifies() throws {
        let set = try #require(
            JWKSet(
                document: try JSONParser.parse(
                    """
                    {"keys":[{"kty":"OKP","crv":"Ed25519","kid":"rfc",
                    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
                    """)))
        let token = """
            eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-\
            09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg
            """
        let parts = try CompactJWS(token)
        #expect(parts.header["alg"]?.text == "EdDSA")
        #expect(String(decoding: parts.payload, as: UTF8.self) == "Example of Ed25519 signing")
        #expect(set.isSignature(parts.signature, of: parts.signingInput, kid: "rfc"))
        var wrong = parts.signingInput
        wrong[40] ^= 1
        #expect(!set.isSignature(parts.signature, of: wrong, kid: "rfc"))
        let secret = try #require(
            Base64URLText.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A".utf8))
        let key = try #require(SigningKey(raw: secret, createdAt: fixture.now))
        #expect(
            Base64URLText.encode(key.publicKey) == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
        #expect(
            set.isSignature(try key.sign(parts.signingInput), of: parts.signingInput, kid: "rfc"))
    }

    @Test func theFirstStartMakesAKeyThatStays() throws {
        let keys = try open()
        let kid = keys.currentID
        #expect(kid.utf8.count == 16)
        #expect(try files() == ["\(kid).json"])
        let attributes = try FileManager.default.attributesOfItem(
            atPath: directory + "/\(kid).json")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let entry = try #require(keys.jwks()["keys"]?.elements?.first)
        #expect(entry["kty"]?.text == "OKP" && entry["crv"]?.text == "Ed25519")
        #expect(entry["d"] == nil)
        let x = try #require(entry["x"]?.text.flatMap { Base64URLText.decode($0.utf8) })
        #expect(x.count == 32)
        #expect(JWKSet.kid(of: x) == kid)
        #expect(try open().currentID == kid)
        #expect(JWKSet(document: keys.jwks())?.contains(kid) == true)
    }

    @Test func rotationOverlaps() throws {
        let keys = try open()
        let issuer = TokenIssuer(keys: keys, issuer: "i", clock: fixture.clock)
        let longest = try JSONParser.parse(#"{"ttl_seconds":86400}"#)
        func mint() throws -> String {
            let answer = try issuer.mint(longest, customer: "a", entitlements: [], revision: 1)
            return try #require(answer.body["token"]?.text)
        }
        func isValid(_ token: String, _ set: JWKSet? = nil) -> Bool {
            (try? TokenVerifier.verify(token, jwks: set ?? keys.keySet(), now: fixture.now)) != nil
        }
        let first = keys.currentID
        fixture.advance(3_600)
        let old = try mint()
        let second = try keys.rotate()
        #expect(keys.currentID == second && second != first)
        #expect(kids(keys) == [second, first])
        let new = try mint()
        #expect(isValid(old) && isValid(new))

        // Until the old key's last token is past, leeway included.
        fixture.advance(86_400 + 59)
        #expect(isValid(old))
        #expect(kids(keys) == [second, first])
        fixture.advance(1)
        #expect(!isValid(old))
        #expect(kids(keys) == [second])
        #expect(try files() == ["\(first).json", "\(second).json"].sorted())

        // The next start, or rotation, forgets the private half.
        let reopened = try open()
        #expect(reopened.currentID == second)
        #expect(try files() == ["\(first).public.json", "\(second).json"].sorted())
        #expect(reopened.archivedKeySet().contains(first))
        #expect(!reopened.keySet().contains(first))
        let content = try String(
            contentsOfFile: directory + "/\(first).public.json", encoding: .utf8)
        #expect(!content.contains("private"))
    }

    @Test func aClockThatWasSetBackKeepsTheOrder() throws {
        let keys = try open()
        fixture.advance(-100_000)
        let second = try keys.rotate()
        let third = try keys.rotate()
        #expect(keys.currentID == third)
        #expect(try open().currentID == third)
        #expect(kids(keys).contains(second))
    }

    @Test func damagedKeysAreNamed() throws {
        let kid = try open().currentID
        let path = directory + "/\(kid).json"
        let content = try String(contentsOfFile: path, encoding: .utf8)
        for damaged in [
            "", "{}", content.replacing("private", with: "privat"),
            content.replacing(kid, with: "AAAAAAAAAAAAAAAA"),
        ] {
            try damaged.write(toFile: path, atomically: false, encoding: .utf8)
            let found = try #require(AccessFixture.problem { _ = try open() })
            #expect(found.code == "signing_keys_unavailable")
            #expect(found.detail.contains(kid))
        }
        try content.write(toFile: path, atomically: false, encoding: .utf8)
        // What a crash while writing leaves is no key, and no harm.
        try "{".write(toFile: directory + "/x.json.new", atomically: false, encoding: .utf8)
        #expect(try open().currentID == kid)
    }

    @Test func keySetsAreReadStrictly() throws {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        let okp = #""kty":"OKP","crv":"Ed25519""#
        func set(_ text: String) throws -> JWKSet? {
            JWKSet(document: try JSONParser.parse(text))
        }
        let good = #"{\#(okp),"kid":"a","x":"\#(x)"}"#
        #expect(try set(#"{"keys":[\#(good),{"kty":"RSA","kid":"b"}]}"#)?.contains("a") == true)
        #expect(
            try set(#"{"keys":[{\#(okp),"use":"enc","kid":"a","x":"\#(x)"}]}"#)?.isEmpty == true)
        #expect(try set(#"{"keys":[]}"#)?.isEmpty == true)
        for wrong in [
            #"{"keys":[\#(good),\#(good)]}"#, #"{"keys":[{\#(okp),"x":"\#(x)"}]}"#,
            #"{"keys":[{\#(okp),"kid":"a","x":"\#(x)="}]}"#,
            #"{"keys":[{\#(okp),"kid":"a","x":"AAAA"}]}"#, #"{"keys":{}}"#, "[]",
        ] {
            #expect(try set(wrong) == nil, "\(wrong)")
        }
    }

    @Test func base64URLHasOneTextForEachByteString() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 250) }
            let text = Base64URLText.encode(bytes)
            #expect(Base64URLText.decode(text.utf8) == bytes)
        }
        #expect(Base64URLText.encode([0xFB, 0xFF]) == "-_8")
        for wrong in ["A", "AB", "-_9", "-_8=", "+/8", "A A", "AAAAA"] {
            #expect(Base64URLText.decode(wrong.utf8) == nil, "\(wrong)")
        }
    }

    @Test func headsOfTheAuditLogAreSigned() throws {
        let keys = try open()
        let signer = AuditSigner(keys: keys)
        let hash = [UInt8](repeating: 0xAB, count: 32)
        let head = try signer.sign(sequence: 7, hash: hash, at: fixture.now)
        #expect(AuditSigner.isValid(head, keys: keys.keySet()))
        #expect(AuditSigner.isSigned(head, jwks: keys.jwks()))
        #expect(!AuditSigner.isSigned(head, jwks: .null))
        #expect(head["hash"]?.text == String(repeating: "ab", count: 32))
        #expect(head["seq"]?.integer == 7)
        let empty = try signer.head(of: fixture.catalog, at: fixture.now).body
        #expect(empty["seq"]?.integer == 0)
        #expect(AuditSigner.isValid(empty, keys: keys.keySet()))
        try fixture.addCustomers("a", "b")
        let stored = try signer.head(of: fixture.catalog, at: fixture.now).body
        #expect(stored["seq"]?.integer == 2)
        guard case .intact(_, let last) = try fixture.catalog.verifyChain() else {
            Issue.record("the chain is broken")
            return
        }
        #expect(stored["hash"]?.text == AuditSigner.hex(last))
        let changes: [(String, JSONValue)] = [
            ("seq", .integer(8)), ("hash", .string(String(repeating: "ac", count: 32))),
            ("at", .string(fixture.now.adding(seconds: 1).rfc3339())), ("kid", .string("x")),
            ("signature", .string("AAAA")), ("seq", .null),
        ]
        for (name, value) in changes {
            let changed = head.merging(.object([name: value]))
            #expect(!AuditSigner.isValid(changed, keys: keys.keySet()), "\(name)")
        }
        // Long after its key is gone.
        _ = try keys.rotate()
        fixture.advance(1_000_000)
        _ = try keys.rotate()
        #expect(!AuditSigner.isValid(head, keys: keys.keySet()))
        #expect(AuditSigner.isValid(head, keys: keys.archivedKeySet()))
    }
}
