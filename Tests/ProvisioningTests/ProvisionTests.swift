import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@testable import Provisioning

@Suite("Provisioning payloads")
struct ProvisionTests {
    private func problem(_ json: String, _ fixture: IntakeFixture) async throws -> ControlProblem? {
        do {
            try await fixture.provision(json)
            return nil
        } catch let problem as ControlProblem {
            return problem
        }
    }

    @Test("an account with a plan, features, limits and an instant")
    func planShape() async throws {
        let fixture = try await IntakeFixture()
        let payload = """
            {"account_id": "acme", "plan": "starter", "features": ["sso", "api_calls"],
             "limits": {"seats": -1, "api_calls_per_month": 5000},
             "expires_at": "2027-01-31T00:00:00Z"}
            """
        let answer = try await fixture.provision(payload)
        #expect(answer["account_id"]?.text == "acme")
        #expect(answer["subscription"]?["id"]?.text == "acme:app")
        #expect(answer["subscription"]?["end"]?.text == "2027-01-31T00:00:00Z")
        let overrides = answer["overrides"]?.elements?.compactMap { $0["id"]?.text }
        #expect(overrides == ["acme:app:api_calls", "acme:app:sso"])
        let changed = answer["changed"]?.integer
        #expect(changed == 4)
        #expect(fixture.entitlement("api_calls", of: "acme") == "5000 per month")
        #expect(fixture.entitlement("seats", of: "acme") == "unlimited seats")
        #expect(fixture.entitlement("sso", of: "acme") == "on")
        #expect(fixture.entitlement("sso", of: "acme", at: "2027-01-31T00:00:00Z") != "on")

        fixture.advance(seconds: 3_600)
        let again = try await fixture.provision(payload)
        let unchanged = again["changed"]?.integer
        #expect(unchanged == 0)
        #expect(again["subscription"] == answer["subscription"])
        #expect(again["overrides"] == answer["overrides"])
        #expect(again["entitlements_revision"] == answer["entitlements_revision"])
    }

    @Test("a product with seats and days: the last day counts, in the customer's zone")
    func licenseShape() async throws {
        let fixture = try await IntakeFixture()
        let answer = try await fixture.provision(
            """
            {"account_id": "berlin", "product": "app", "features": ["scim"],
             "license_type": "subscription", "seats": 25,
             "start_date": "2026-03-01", "end_date": "2026-10-31"}
            """)
        #expect(answer["subscription"]?["plan"]?.text == "starter")
        // Winter time at both ends, with summer time between.
        #expect(answer["subscription"]?["start"]?.text == "2026-02-28T23:00:00Z")
        #expect(answer["subscription"]?["end"]?.text == "2026-10-31T23:00:00Z")
        #expect(answer["subscription"]?["metadata"]?["license_type"]?.text == "subscription")
        #expect(fixture.entitlement("seats", of: "berlin") == "25 seats")
        #expect(fixture.entitlement("scim", of: "berlin", at: "2026-10-31T22:59:59Z") == "on")
        #expect(fixture.entitlement("scim", of: "berlin", at: "2026-10-31T23:00:00Z") != "on")
    }

    @Test("a customer, a product and a term's end; names may be mixed")
    func termShape() async throws {
        let fixture = try await IntakeFixture()
        let answer = try await fixture.provision(
            """
            {"customer_id": "initech", "product": "app", "seats": 7, "term_end": "2026-12-31",
             "features": [], "limits": {"api_calls": 12}}
            """)
        #expect(answer["subscription"]?["end"]?.text == "2027-01-01T00:00:00Z")
        #expect(fixture.entitlement("seats", of: "initech") == "7 seats")
        #expect(fixture.entitlement("api_calls", of: "initech") == "12 per month")
        // The plan of the product's own name, where there is no default.
        let other = try await fixture.provision(#"{"customer": "initech", "product": "lonely"}"#)
        #expect(other["subscription"]?["plan"]?.text == "lonely")
        #expect(fixture.entitlement("scim", of: "initech") == "on")
    }

    @Test("mid-term: 25 → 60 seats, a premium module, another plan; what stays is not touched")
    func midTermChange() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.provision(
            #"{"account_id": "acme", "plan": "starter", "seats": 25, "start_date": "2026-01-15", "end_date": "2026-12-31"}"#
        )
        fixture.advance(to: "2026-05-20T09:00:00Z")
        let more = try await fixture.provision(
            #"{"account_id": "acme", "plan": "starter", "seats": 60, "start_date": "2026-01-15", "end_date": "2026-12-31"}"#
        )
        let changed = more["changed"]?.integer
        #expect(changed == 1)
        #expect(fixture.entitlement("seats", of: "acme") == "60 seats")
        #expect(fixture.entitlement("seats", of: "acme", at: "2026-05-20T08:59:59Z") == "25 seats")

        fixture.advance(to: "2026-06-01T00:00:00Z")
        let upgraded = try await fixture.provision(
            """
            {"account_id": "acme", "plan": "pro", "seats": 60, "start_date": "2026-06-01",
             "end_date": "2027-05-31", "features": ["scim", "sso"]}
            """)
        #expect(upgraded["subscription"]?["id"]?.text == "acme:app")
        // Billing periods still begin on the 15th.
        #expect(upgraded["subscription"]?["anchor"]?.text == "2026-01-15T00:00:00Z")
        #expect(fixture.entitlement("scim", of: "acme") == "on")
        #expect(fixture.entitlement("scim", of: "acme", at: "2026-05-31T00:00:00Z") == "nothing")
        #expect(fixture.entitlement("api_calls", of: "acme") == "100000 per month")
        #expect(
            fixture.entitlement("api_calls", of: "acme", at: "2026-05-31T00:00:00Z")
                == "1000 per month")
        // A feature that is not listed any more is gone; what is not mentioned stays.
        let less = try await fixture.provision(
            #"{"account_id": "acme", "plan": "pro", "features": []}"#)
        #expect(less["overrides"] == .array([]))
        #expect(fixture.entitlement("scim", of: "acme") == "nothing")
        #expect(fixture.entitlement("seats", of: "acme") == "60 seats")
        #expect(less["subscription"]?["end"]?.text == "2027-06-01T00:00:00Z")
    }

    @Test("a renewal ordered ahead lets the running term run out")
    func renewalAhead() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.provision(
            #"{"account_id": "acme", "plan": "starter", "start": "2026-01-01", "end": "2026-06-30"}"#
        )
        let payload =
            #"{"account_id": "acme", "plan": "pro", "start": "2026-07-01", "end": "2027-06-30"}"#
        try await fixture.provision(payload)
        #expect(fixture.entitlement("sso", of: "acme") == "nothing")
        #expect(fixture.entitlement("api_calls", of: "acme") == "1000 per month")
        #expect(fixture.entitlement("sso", of: "acme", at: "2026-07-01T00:00:00Z") == "on")
        #expect(fixture.entitlement("sso", of: "acme", at: "2027-06-30T23:59:59Z") == "on")
        #expect(fixture.entitlement("sso", of: "acme", at: "2027-07-01T00:00:00Z") != "on")
        let again = try await fixture.provision(payload)
        let changed = again["changed"]?.integer
        #expect(changed == 0)
    }

    @Test("a trial ends at its instant, and a purchase takes its place")
    func trial() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.provision(
            #"{"account_id": "berlin", "plan": "pro", "license_type": "trial", "features": ["scim"], "expires_at": "2026-03-29"}"#
        )
        // The day of the change to summer time has 23 hours.
        #expect(fixture.entitlement("sso", of: "berlin", at: "2026-03-29T21:59:59Z") == "on")
        #expect(
            fixture.entitlement("sso", of: "berlin", at: "2026-03-29T22:00:00Z")
                == "denied: expired")
        #expect(fixture.entitlement("scim", of: "berlin", at: "2026-03-29T22:00:00Z") != "on")
        let bought = try await fixture.provision(
            #"{"account_id": "berlin", "plan": "pro", "license_type": "subscription", "end_date": "2026-12-31"}"#
        )
        #expect(bought["subscription"]?["trial_end"] == nil)
        #expect(fixture.entitlement("sso", of: "berlin", at: "2026-04-15T00:00:00Z") == "on")
        #expect(fixture.entitlement("scim", of: "berlin", at: "2026-04-15T00:00:00Z") == "on")
        let perpetual = try await fixture.provision(
            #"{"account_id": "berlin", "plan": "pro", "license_type": "perpetual"}"#)
        #expect(perpetual["subscription"]?["end"] == nil)
        #expect(fixture.entitlement("sso", of: "berlin", at: "2099-01-01T00:00:00Z") == "on")
    }

    @Test(
        "bad input is refused, with the member at fault, and nothing is changed",
        arguments: [
            (#"{"plan": "pro"}"#, "account_id", "missing_member"),
            (#"{"account_id": "a"}"#, "plan", "missing_member"),
            (
                #"{"account_id": "a", "customer_id": "b", "plan": "pro"}"#, "customer_id",
                "contradiction"
            ),
            (#"{"account_id": "a", "plan": "prow"}"#, "plan", "unknown_plan"),
            (#"{"account_id": "a", "product": "apps"}"#, "product", "unknown_product"),
            (
                #"{"account_id": "a", "plan": "pro", "product": "lonely"}"#, "product",
                "plan_of_other_product"
            ),
            (
                #"{"account_id": "a", "plan": "pro", "features": ["sso", "ssoo"]}"#, "features[1]",
                "unknown_feature"
            ),
            (
                #"{"account_id": "a", "plan": "pro", "features": ["llm_tokens"]}"#, "features[0]",
                "wrong_feature_type"
            ),
            (
                #"{"account_id": "a", "plan": "pro", "limits": {"api_call_per_month": 1}}"#,
                "limits.api_call_per_month", "unknown_limit"
            ),
            (
                #"{"account_id": "a", "plan": "pro", "limits": {"api_calls_per_day": 1}}"#,
                "limits.api_calls_per_day", "wrong_period"
            ),
            (
                #"{"account_id": "a", "plan": "pro", "limits": {"llm_tokens": 1}}"#,
                "limits.llm_tokens", "missing_period"
            ),
            (
                #"{"account_id": "a", "plan": "pro", "limits": {"api_calls": -2}}"#,
                "limits.api_calls", "invalid_limit"
            ),
            (
                #"{"account_id": "a", "plan": "pro", "limits": {"api_calls": 1.5}}"#,
                "limits.api_calls", "invalid_limit"
            ),
            (
                #"{"account_id": "a", "plan": "pro", "limits": {"sso": 1}}"#, "limits.sso",
                "wrong_feature_type"
            ),
            (
                #"{"account_id": "a", "plan": "pro", "seats": 5, "limits": {"seats": 6}}"#, "seats",
                "contradiction"
            ),
            (#"{"account_id": "a", "plan": "pro", "seats": "many"}"#, "seats", "invalid_limit"),
            (
                #"{"account_id": "a", "plan": "pro", "start": "2026-05-01", "end": "2026-04-30"}"#,
                "end", "end_before_start"
            ),
            (#"{"account_id": "a", "plan": "pro", "end": "2026-02-30"}"#, "end", "invalid_time"),
            (
                #"{"account_id": "a", "plan": "pro", "license_type": "trail"}"#, "license_type",
                "unknown_license_type"
            ),
            (
                #"{"account_id": "a", "plan": "pro", "license_type": "perpetual", "end": "2027-01-01"}"#,
                "end", "perpetual_with_end"
            ),
            (
                #"{"account_id": "a", "plan": "pro", "license_type": "trial"}"#, "expires_at",
                "trial_without_end"
            ),
            (#"{"account_id": "a", "plan": "pro", "seat": 5}"#, "seat", "unknown_member"),
        ] as [(String, String, String)])
    func refusals(json: String, field: String, code: String) async throws {
        let fixture = try await IntakeFixture()
        let before = fixture.store.revision
        let problem = try #require(try await problem(json, fixture))
        #expect(problem.field == field)
        #expect(problem.code == code)
        #expect(problem.kind == .unprocessable)
        #expect(fixture.store.revision == before)
    }

    @Test("hints say what was probably meant")
    func hints() async throws {
        let fixture = try await IntakeFixture()
        let limit = try await problem(
            #"{"account_id": "a", "plan": "pro", "limits": {"api_call_per_month": 1}}"#, fixture)
        #expect(limit?.detail.contains("api_calls_per_month") == true)
        let feature = try await problem(
            #"{"account_id": "a", "plan": "pro", "features": ["ssso"]}"#, fixture)
        #expect(feature?.detail.contains("\"sso\"") == true)
    }

    @Test("null is nothing, never unlimited; 0 is 0")
    func noUnlimitedByAccident() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.provision(
            #"{"account_id": "a", "plan": "pro", "seats": null, "limits": {"api_calls": 0}}"#)
        #expect(fixture.entitlement("seats", of: "a") == "25 seats")
        #expect(fixture.entitlement("api_calls", of: "a") == "0 per month")
        let refused = try await problem(
            #"{"account_id": "a", "plan": "pro", "limits": {"api_calls": null}}"#, fixture)
        #expect(refused?.field == "limits.api_calls")
    }

    @Test("an id that is another customer's is not taken over")
    func takenID() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.provision(#"{"account_id": "a:app:x", "plan": "pro"}"#)
        try await fixture.run { (draft) throws(ControlProblem) in
            try draft.put(
                .customer, "other", customer: "other", .object(["id": .string("other")]))
            try draft.put(
                .subscription, "b:app", customer: "other",
                .object([
                    "id": .string("b:app"), "customer": .string("other"), "plan": .string("pro"),
                    "version": .integer(1), "start": .string("2026-01-01T00:00:00Z"),
                ]))
        }
        let problem = try await problem(#"{"account_id": "b", "plan": "pro"}"#, fixture)
        #expect(problem?.code == "id_taken")
    }
}
