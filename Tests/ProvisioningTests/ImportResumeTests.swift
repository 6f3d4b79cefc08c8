import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@testable import Provisioning

@Suite("Bulk import: interruption and roll-back")
struct ImportResumeTests {
    private static let features = ["api_calls", "seats", "sso", "scim", "region"]
    private static let instants = [
        "2026-01-05T00:00:00Z", "2026-03-10T12:00:00Z", "2026-08-01T00:00:00Z",
    ]

    private func picture(_ fixture: IntakeFixture) -> [String] {
        fixture.picture(
            of: ["berlin", "c3", "c4000", "c9999", "c20000"], features: Self.features,
            subjects: ["key_berlin", "key_3", "key_9999", "new_key"], at: Self.instants)
    }

    @Test("20,000 lines, interrupted after every chunk and resumed, then rolled back the same way")
    func interrupted() async throws {
        let fixture = try await IntakeFixture()
        // Some of the customers are there before, with other terms.
        try await fixture.load(
            [3, 4_000, 9_999].map { IntakeFixture.customer($0, plan: "pro") }, id: "im_0")
        let before = picture(fixture)
        let chainBefore = fixture.store.revision
        let lines = (1...20_000).map { IntakeFixture.customer($0) }

        var attempts = 0
        var answer: JSONValue?
        while answer == nil {
            attempts += 1
            fixture.flaky.allow(1)
            let problem = try await fixture.refusal {
                answer = try await fixture.load(lines, chunk: 4_000, expected: 20_000)
            }
            if answer == nil { #expect(problem?.kind == .unavailable) }
            if attempts == 2 {
                let progress = try fixture.store.imports("im_1")
                #expect(progress?.done == 8_000)
                #expect(progress?.state == .running)
                // What is committed is in force; the rest is not there.
                #expect(fixture.entitlement("seats", of: "c7999") == "49 seats")
                #expect(fixture.entitlement("seats", of: "c8001") == "no customer")
            }
            try #require(attempts < 20)
        }
        #expect(attempts == 5)
        fixture.flaky.allow(.max)
        let created = answer?["created"]?.integer
        let changed = answer?["changed"]?.integer
        #expect(created == 19_997)
        #expect(changed == 3)
        let count = try fixture.store.count(.customer)
        #expect(count == 20_001)
        #expect(fixture.entitlement("seats", of: "c20000") == "0 seats")
        #expect(fixture.entitlement("sso", of: "c3") == "nothing")

        attempts = 0
        var rolled: JSONValue?
        while rolled == nil {
            attempts += 1
            fixture.flaky.allow(1)
            let problem = try await fixture.refusal {
                rolled = try await fixture.rollBack("im_1", chunk: 2_000)
            }
            if rolled == nil { #expect(problem?.kind == .unavailable) }
            try #require(attempts < 20)
        }
        fixture.flaky.allow(.max)
        #expect(attempts > 2)
        #expect(rolled?["state"]?.text == "rolled_back")
        let after = picture(fixture)
        #expect(
            after.map { $0.replacing("nothing", with: "no customer") }
                == before.map { $0.replacing("nothing", with: "no customer") })
        #expect(fixture.store.revision > chainBefore)
        #expect(try fixture.store.customer(ofSubject: "key_20000") == nil)
        #expect(try fixture.store.customer(ofSubject: "key_3") == "c3")
        let again = try await fixture.rollBack("im_1")
        #expect(again == rolled)
        // The id is used up; another one imports the same customers anew.
        let refused = try await fixture.refusal {
            try await fixture.load(lines, expected: 20_000)
        }
        #expect(refused?.code == "import_rolled_back")
        let anew = try await fixture.load(Array(lines[0..<10]), id: "im_2")
        let createdAnew = anew["created"]?.integer
        #expect(createdAnew == 9)
        #expect(fixture.entitlement("seats", of: "c7") == "7 seats")
        guard case .intact = try fixture.store.verifyChain() else {
            Issue.record("the chain is broken")
            return
        }
    }
}
