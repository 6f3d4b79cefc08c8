import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@testable import Provisioning

@Suite("Stripe events")
struct StripeTests {
    private func code(_ body: () async throws -> Void) async throws -> String? {
        do {
            try await body()
            return nil
        } catch let problem as ControlProblem {
            return "\(problem.kind.rawValue) \(problem.code) \(problem.field ?? "")"
        }
    }

    @Test("a checkout names the customer and links it; a subscription follows")
    func checkout() async throws {
        let fixture = try await IntakeFixture()
        let stripe = StripeSender(fixture: fixture)
        try await stripe.send(
            "evt_1", "checkout.session.completed",
            .object([
                "id": .string("cs_1"), "client_reference_id": .string("acme"),
                "customer": .string("cus_1"), "subscription": .string("sub_1"),
                "payment_status": .string("paid"),
                "metadata": .object(["plan": .string("starter")]),
            ]))
        #expect(fixture.entitlement("seats", of: "acme") == "5 seats")
        let linked = try fixture.document(.customer, "acme")?["external_ids"]?["stripe"]?.text
        #expect(linked == "cus_1")
        try await stripe.send(
            "evt_2", "customer.subscription.created",
            StripeSender.subscription(items: [("price_starter", 1), ("price_seat", 25)]))
        #expect(fixture.entitlement("seats", of: "acme") == "25 seats")
        let owner = try fixture.store.record(.subscription, "sub_1")?.customer
        #expect(owner == "acme")
    }

    @Test("a subscription that comes before its checkout moves from the stand-in to its customer")
    func subscriptionBeforeCheckout() async throws {
        let fixture = try await IntakeFixture()
        let stripe = StripeSender(fixture: fixture)
        try await stripe.send(
            "evt_1", "customer.subscription.created",
            StripeSender.subscription(items: [("pro_monthly", 1)]))
        #expect(fixture.entitlement("sso", of: "cus_1") == "on")
        fixture.advance(seconds: 1)
        try await stripe.send(
            "evt_2", "checkout.session.completed",
            .object([
                "id": .string("cs_1"), "client_reference_id": .string("acme"),
                "customer": .object(["id": .string("cus_1")]), "subscription": .string("sub_1"),
            ]))
        #expect(fixture.entitlement("sso", of: "acme") == "on")
        #expect(fixture.entitlement("sso", of: "cus_1") != "on")
        // Later events find it there.
        fixture.advance(seconds: 60)
        try await stripe.send(
            "evt_3", "customer.subscription.updated",
            StripeSender.subscription(items: [("pro_monthly", 1), ("price_seat", 40)]))
        #expect(fixture.entitlement("seats", of: "acme") == "40 seats")
        fixture.advance(seconds: 60)
        try await stripe.send(
            "evt_4", "customer.subscription.deleted",
            StripeSender.subscription(status: "canceled"))
        #expect(fixture.entitlement("sso", of: "acme") == "denied: expired")
        let contradiction = try await code {
            try await stripe.send(
                "evt_5", "checkout.session.completed",
                .object([
                    "id": .string("cs_2"), "client_reference_id": .string("beta"),
                    "customer": .string("cus_1"),
                ]))
        }
        #expect(contradiction == "422 customer_linked data.object.client_reference_id")
    }

    @Test("25 → 60 seats, a premium module, monthly → annual, in place")
    func midTermChange() async throws {
        let fixture = try await IntakeFixture()
        let stripe = StripeSender(fixture: fixture)
        try await stripe.send(
            "evt_1", "customer.subscription.created",
            StripeSender.subscription(
                items: [("pro_monthly", 1), ("price_seat", 25)],
                ["metadata": .object(["tollgate_customer": .string("acme")])]))
        #expect(fixture.entitlement("seats", of: "acme") == "25 seats")
        try await fixture.run { (draft) throws(ControlProblem) in
            try draft.put(
                .seat, "4:acme5:seats2:u1", customer: "acme",
                .object([
                    "customer": .string("acme"), "feature": .string("seats"),
                    "holder": .string("u1"), "assigned_at": .string("2026-03-10T12:00:00Z"),
                ]))
        }
        fixture.advance(to: "2026-05-20T09:00:00Z")
        try await stripe.send(
            "evt_2", "customer.subscription.updated",
            StripeSender.subscription(
                items: [("price_pro_year", 1), ("price_seat_year", 60), ("prod_premium", 1)],
                interval: "year"))
        let document = try fixture.document(.subscription, "sub_1")
        #expect(document?["billing_frequency"]?.text == "annual")
        #expect(document?["plan"]?.text == "pro")
        let version = document?["version"]?.integer
        #expect(version == 1)
        #expect(fixture.entitlement("seats", of: "acme") == "60 seats")
        #expect(fixture.entitlement("scim", of: "acme") == "on")
        #expect(fixture.entitlement("api_calls", of: "acme") == "105000 per month")
        #expect(fixture.entitlement("seats", of: "acme", at: "2026-05-20T08:59:59Z") == "25 seats")
        #expect(fixture.entitlement("scim", of: "acme", at: "2026-05-20T08:59:59Z") == "nothing")
        #expect(try fixture.document(.seat, "4:acme5:seats2:u1") != nil)
    }

    @Test("what is cancelled stays so, also when a later event says otherwise")
    func staysCancelled() async throws {
        let fixture = try await IntakeFixture()
        let stripe = StripeSender(fixture: fixture)
        let object = StripeSender.subscription()
        try await stripe.send("evt_1", "customer.subscription.created", object)
        try await stripe.send("evt_2", "customer.subscription.deleted", object)
        let revision = fixture.store.revision
        let later = fixture.now.adding(seconds: 60).rfc3339()
        let answer = try await stripe.send(
            "evt_3", "customer.subscription.updated", created: later, object)
        #expect(answer["stale"] == .bool(true))
        #expect(fixture.store.revision == revision)
    }

    @Test("the same event many times at once is carried out once, and never refused")
    func concurrentDuplicates() async throws {
        let fixture = try await IntakeFixture()
        let stripe = StripeSender(fixture: fixture)
        let object = StripeSender.subscription()
        let answers = try await withThrowingTaskGroup(of: JSONValue.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    try await stripe.send("evt_1", "customer.subscription.created", object)
                }
            }
            var answers: [JSONValue] = []
            for try await answer in group { answers.append(answer) }
            return answers
        }
        #expect(answers.count { $0["duplicate"] == .bool(true) } == 15)
    }

    @Test("the same event twice is carried out once")
    func duplicates() async throws {
        let fixture = try await IntakeFixture()
        let stripe = StripeSender(fixture: fixture)
        let object = StripeSender.subscription()
        try await stripe.send("evt_1", "customer.subscription.created", object)
        let revision = fixture.store.revision
        let again = try await stripe.send("evt_1", "customer.subscription.created", object)
        #expect(again == .object(["received": .bool(true), "duplicate": .bool(true)]))
        #expect(fixture.store.revision == revision)
        let other = try await stripe.send("evt_x", "charge.refunded", .object([:]))
        #expect(other["ignored"]?.flag == true)
    }

    @Test("an older event that comes late changes nothing")
    func outOfOrder() async throws {
        let fixture = try await IntakeFixture()
        let stripe = StripeSender(fixture: fixture)
        try await stripe.send(
            "evt_2", "customer.subscription.updated", created: "2026-03-10T11:59:00Z",
            StripeSender.subscription(items: [("pro_monthly", 1)]))
        let late = try await stripe.send(
            "evt_1", "customer.subscription.created", created: "2026-03-10T11:58:59Z",
            StripeSender.subscription())
        #expect(late["stale"]?.flag == true)
        #expect(fixture.entitlement("sso", of: "cus_1") == "on")
        // Within one second the creation comes first, whatever the order of coming.
        let tie = try await stripe.send(
            "evt_3", "customer.subscription.created", created: "2026-03-10T11:59:00Z",
            StripeSender.subscription())
        #expect(tie["stale"]?.flag == true)
        // An end that is heard of first holds off the beginning.
        try await stripe.send(
            "evt_9", "customer.subscription.deleted", created: "2026-03-10T11:59:30Z",
            StripeSender.subscription("sub_2", customer: "cus_2", status: "canceled"))
        try await stripe.send(
            "evt_8", "customer.subscription.created", created: "2026-03-10T11:59:10Z",
            StripeSender.subscription("sub_2", customer: "cus_2"))
        #expect(fixture.entitlement("seats", of: "cus_2") == "denied: expired")
    }

    @Test("failed payments suspend from the configured attempt on, once, and a payment ends it")
    func payments() async throws {
        let fixture = try await IntakeFixture()
        let stripe = StripeSender(fixture: fixture)
        try await stripe.send(
            "evt_1", "customer.subscription.created",
            StripeSender.subscription(items: [("pro_monthly", 1)]))
        fixture.advance(to: "2026-04-01T01:00:00Z")
        let first = try await stripe.send(
            "evt_2", "invoice.payment_failed", StripeSender.invoice(1))
        #expect(first["ignored"]?.flag == true)
        #expect(fixture.entitlement("sso", of: "cus_1") == "on")
        fixture.advance(to: "2026-04-03T01:00:00Z")
        // Heard of after the status that the same failure led to: it counts all the same.
        try await stripe.send(
            "evt_4", "customer.subscription.updated", created: "2026-04-03T01:00:00Z",
            StripeSender.subscription(status: "past_due", items: [("pro_monthly", 1)]))
        try await stripe.send(
            "evt_3", "invoice.payment_failed", created: "2026-04-03T00:59:59Z",
            StripeSender.invoice(2))
        #expect(fixture.entitlement("sso", of: "cus_1") == "denied: suspended")
        let suspension = try fixture.document(.suspension, "su_sub_1")
        #expect(suspension?["product"]?.text == "app")
        #expect(suspension?["reason"]?.text == "payment of invoice in_2 failed, attempt 2")
        fixture.advance(to: "2026-04-05T01:00:00Z")
        try await stripe.send("evt_5", "invoice.payment_failed", StripeSender.invoice(3))
        let kept = try fixture.document(.suspension, "su_sub_1")
        #expect(kept == suspension)
        fixture.advance(to: "2026-04-06T01:00:00Z")
        try await stripe.send("evt_6", "invoice.paid", StripeSender.invoice(3))
        #expect(fixture.entitlement("sso", of: "cus_1") == "on")
        #expect(
            fixture.entitlement("sso", of: "cus_1", at: "2026-04-04T00:00:00Z")
                == "denied: suspended")
        // The failure before the payment is heard of late.
        let late = try await stripe.send(
            "evt_7", "invoice.payment_failed", created: "2026-04-05T02:00:00Z",
            StripeSender.invoice(4))
        #expect(late["stale"]?.flag == true)
        #expect(fixture.entitlement("sso", of: "cus_1") == "on")
        // Another failure later suspends anew under the same id.
        fixture.advance(to: "2026-05-03T01:00:00Z")
        try await stripe.send(
            "evt_8", "customer.subscription.updated",
            StripeSender.subscription(status: "unpaid", items: [("pro_monthly", 1)]))
        #expect(fixture.entitlement("sso", of: "cus_1") == "denied: suspended")
        #expect(fixture.entitlement("sso", of: "cus_1", at: "2026-04-20T00:00:00Z") == "on")
        fixture.advance(to: "2026-05-04T01:00:00Z")
        try await stripe.send(
            "evt_9", "customer.subscription.updated",
            StripeSender.subscription(items: [("pro_monthly", 1)]))
        #expect(fixture.entitlement("sso", of: "cus_1") == "on")
    }

    @Test("trial, cancellation at the period's end, end")
    func lifecycle() async throws {
        let fixture = try await IntakeFixture()
        let stripe = StripeSender(fixture: fixture)
        try await stripe.send(
            "evt_1", "customer.subscription.created",
            StripeSender.subscription(
                status: "trialing", items: [("pro_monthly", 1)],
                [
                    "trial_end": .integer(StripeSender.seconds("2026-03-20T00:00:00Z")),
                    "billing_cycle_anchor":
                        .integer(StripeSender.seconds("2026-03-20T00:00:00Z")),
                ]))
        #expect(fixture.entitlement("sso", of: "cus_1", at: "2026-03-25T00:00:00Z") == "on")
        let early = try fixture.document(.subscription, "sub_1")?["anchor"]
        #expect(early == nil)
        fixture.advance(to: "2026-03-22T00:00:00Z")
        try await stripe.send(
            "evt_2", "customer.subscription.updated",
            StripeSender.subscription(
                items: [("pro_monthly", 1)],
                [
                    "cancel_at_period_end": .bool(true),
                    "billing_cycle_anchor":
                        .integer(StripeSender.seconds("2026-03-20T00:00:00Z")),
                ]))
        #expect(fixture.entitlement("sso", of: "cus_1", at: "2026-03-31T23:59:59Z") == "on")
        #expect(
            fixture.entitlement("sso", of: "cus_1", at: "2026-04-01T00:00:00Z")
                == "denied: expired")
        let document = try fixture.document(.subscription, "sub_1")
        #expect(document?["anchor"]?.text == "2026-03-20T00:00:00Z")
        // Changed their mind.
        fixture.advance(seconds: 60)
        try await stripe.send(
            "evt_3", "customer.subscription.updated",
            StripeSender.subscription(items: [("pro_monthly", 1)]))
        #expect(fixture.entitlement("sso", of: "cus_1", at: "2026-06-01T00:00:00Z") == "on")
        fixture.advance(seconds: 60)
        try await stripe.send(
            "evt_4", "customer.subscription.deleted",
            StripeSender.subscription(
                status: "canceled", ["ended_at": .integer(fixture.now.seconds)]))
        #expect(fixture.entitlement("sso", of: "cus_1") == "denied: expired")
        fixture.advance(seconds: 60)
        let incomplete = try await stripe.send(
            "evt_5", "customer.subscription.created",
            StripeSender.subscription("sub_9", customer: "cus_9", status: "incomplete"))
        #expect(incomplete["ignored"]?.flag == true)
    }

    @Test("a price that nobody mapped is named, and nothing is half applied")
    func unknownPrice() async throws {
        let fixture = try await IntakeFixture()
        let stripe = StripeSender(fixture: fixture)
        let revision = fixture.store.revision
        let object = StripeSender.subscription(items: [("pro_monthly", 1), ("price_new", 1)])
        let refused = try await code {
            try await stripe.send("evt_1", "customer.subscription.created", object)
        }
        #expect(refused == "422 unknown_price data.object.items.data[1].price.id")
        #expect(fixture.store.revision == revision)
        #expect(fixture.entitlement("sso", of: "cus_1") == "no customer")
        // Once it is mapped, Stripe's next attempt is taken.
        _ = try await fixture.service.apply(
            IntakeFixture.catalog.replacing(
                "price_seat: {seats: seats}",
                with: "price_seat: {seats: seats}\n    price_new: {add_on: premium}"),
            .init(), fixture.context())
        try await stripe.send("evt_1", "customer.subscription.created", object)
        #expect(fixture.entitlement("scim", of: "cus_1") == "on")
    }
}
