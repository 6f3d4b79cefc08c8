import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@testable import Provisioning

@Suite("Stripe signatures")
struct StripeSignatureTests {
    private let body = Array(#"{"id":"evt_1"}"#.utf8)
    private let now = Timestamp(seconds: 1_700_000_000)

    private func failure(
        _ header: String?, _ secrets: [String], body: [UInt8]? = nil, at now: Timestamp? = nil
    ) -> StripeSignature.Failure? {
        do throws(StripeSignature.Failure) {
            try StripeSignature.verify(
                header: header, body: body ?? self.body, secrets: secrets, now: now ?? self.now)
            return nil
        } catch { return error }
    }

    @Test("a known answer: HMAC-SHA256 over time, point and body")
    func knownAnswer() {
        let header = StripeSignature.header(body: body, secret: "whsec_test", at: now)
        #expect(
            header
                == "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925"
        )
        #expect(failure(header, ["whsec_test"]) == nil)
    }

    @Test("any of several signatures under any of several secrets")
    func rotation() {
        let header = StripeSignature.header(body: body, secret: "new", at: now)
        #expect(failure(header, ["old", "new"]) == nil)
        let zeros = String(repeating: "0", count: 64)
        let signature = header.split(separator: ",")[1]
        #expect(failure("t=1700000000,v1=\(zeros),\(signature),v0=abc", ["new"]) == nil)
        #expect(failure("t=1700000000, \(signature)", ["new"]) == nil)
    }

    @Test("what was not signed with our secret is refused")
    func forged() {
        let header = StripeSignature.header(body: body, secret: "ours", at: now)
        #expect(failure(header, ["other"]) == .invalid)
        #expect(failure(header, [""]) == .invalid)
        #expect(failure(header, ["ours"], body: body + [0x20]) == .invalid)
        #expect(failure(nil, ["ours"]) == .invalid)
        for header in ["", "t=1700000000", "v1=00", "t=x,v1=\(String(repeating: "0", count: 64))"] {
            #expect(failure(header, ["ours"]) == .invalid)
        }
        // The time is signed too.
        let moved = header.replacing("t=1700000000", with: "t=1700000001")
        #expect(failure(moved, ["ours"]) == .invalid)
    }

    @Test("300 seconds either way, to the second")
    func tolerance() {
        let header = StripeSignature.header(body: body, secret: "ours", at: now)
        #expect(failure(header, ["ours"], at: now.adding(seconds: 300)) == nil)
        #expect(failure(header, ["ours"], at: now.adding(seconds: -300)) == nil)
        #expect(failure(header, ["ours"], at: now.adding(seconds: 301)) == .expired)
        #expect(failure(header, ["ours"], at: now.adding(seconds: -301)) == .expired)
    }

    @Test("the endpoint: no secret, a forgery, a recording; nothing is stored")
    func endpoint() async throws {
        let fixture = try await IntakeFixture()
        let before = fixture.store.revision
        var sender = StripeSender(fixture: fixture)
        let event = Array(#"{"id": "evt_1", "type": "x", "created": 1700000000}"#.utf8)
        func code(_ signature: String?, _ sender: StripeSender) async -> String? {
            do throws(ControlProblem) {
                _ = try await sender.endpoint.receive(event, signature: signature)
                return nil
            } catch { return "\(error.kind.rawValue) \(error.code)" }
        }
        let good = StripeSignature.header(
            body: event, secret: StripeSender.secret, at: fixture.now)
        #expect(await code(good, sender) == nil)
        let forged = StripeSignature.header(body: event, secret: "guess", at: fixture.now)
        #expect(await code(forged, sender) == "400 invalid_signature")
        fixture.advance(seconds: 301)
        #expect(await code(good, sender) == "400 signature_expired")
        sender.secrets = []
        #expect(await code(good, sender) == "404 not_configured")
        #expect(fixture.store.revision == before)
        #expect(try !fixture.store.isWebhookKnown("stripe", "evt_1"))
    }
}
