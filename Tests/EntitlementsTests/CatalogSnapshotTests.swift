import Entitlements
import MeteringModel
import Testing

@Suite struct CatalogSnapshotTests {
    @Test func metersShareDecoderSlots() throws {
        let snapshot = try compile(sampleCatalog()).get()
        #expect(snapshot.revision == 4)
        #expect(snapshot.paths.map(\.text) == ["$.total", "$.model", "$.bytes"])
        let meters = snapshot.metersOfType("llm.request")
        #expect(meters.map(\.meterIndex) == [0, 1])
        #expect(meters[0].valueSlot == 0)
        #expect(meters[0].groupBySlots.map(\.name) == ["model"])
        #expect(meters[0].groupBySlots.map(\.slot) == [1])
        #expect(meters[1].valueSlot == nil)
        let disk = snapshot.metersOfType("disk")[0]
        #expect(disk.valueSlot == 2 && disk.scale == 2 && disk.filters[0].slot == 1)
        for (text, isAccepted) in [("a", true), ("bb", true), ("b", false), ("", false)] {
            let bytes = Array(text.utf8)
            // SAFETY: bytes are plain data; the array lives for the call.
            #expect(disk.filters[0].accepts(unsafe bytes.span.bytes) == isAccepted)
        }
        #expect(snapshot.metersOfType("disc").isEmpty)
        #expect(snapshot.metersOfType("").isEmpty)
        #expect(snapshot.meterIndex("storage") == 2)
        #expect(snapshot.meterIndex("nothing") == nil)
    }

    @Test func subjectsAndIdsFindCustomers() throws {
        let snapshot = try compile(sampleCatalog()).get()
        #expect(snapshot.customerIndex(subject: "key_2") == 0)
        #expect(snapshot.customerIndex(subject: "key_3") == 1)
        #expect(snapshot.customerIndex(subject: "a-subject-with-a-longer-name") == 2)
        #expect(snapshot.customerIndex(subject: "a-subject-with-a-longer-nane") == nil)
        #expect(snapshot.customerIndex(subject: "acme") == nil)
        #expect(snapshot.customerIndex("acme-labs") == 1)
        #expect(snapshot.customerIndex("key_1") == nil)
        #expect(snapshot.customer(snapshot.root(of: 1, at: now)).id == "acme")
        #expect(snapshot.customer(0).zone.name == "Europe/Berlin")
        let child = snapshot.customer(1).segment(at: now)
        #expect(child.plan == nil && child.quotaCount == 0 && child.parent == 0)
    }

    @Test func quotasCarryEverythingADecisionNeeds() throws {
        let snapshot = try compile(sampleCatalog()).get()
        let acme = snapshot.customer(0).segment(at: now)
        #expect(acme.plan == "pro" && acme.planVersion == 3)
        #expect(acme.quotaCount == 3)
        #expect(acme.quotas(ofMeter: 0).map { acme.quota($0).feature } == ["tokens"])
        #expect(acme.quotas(ofMeter: 1).map { acme.quota($0).feature } == ["api_calls", "burst"])
        #expect(acme.quotas(ofMeter: 2).isEmpty)
        let quota = try #require(snapshot.quota(customer: 0, "tokens"))
        #expect(quota.customer == "acme" && quota.source == "plan pro v3")
        #expect(quota.thresholds.map(\.label) == ["500", "80%", "100%"])
        let start = Timestamp(seconds: 1_769_814_000)
        #expect(quota.rule == PeriodRule(unit: .month, anchor: .subscription(start: start)))
        #expect(acme.subscriptionStart == start && acme.start == start)
        #expect(quota.enforcement == .soft && quota.counting == .events)
        let calls = try #require(snapshot.quota(customer: 0, "api_calls"))
        #expect(calls.counting == .admission)
        #expect(calls.rule.anchor == .calendar)
        #expect(snapshot.quota(customer: 0, "sso") == nil)
        #expect(snapshot.quota(customer: 1, "tokens") == nil)
        #expect(snapshot.quota(customer: 2, "tokens")?.limit == .finite(100))
        guard case .value("eu")? = snapshot.entitlement(of: 0, "region", at: now)?.value else {
            Issue.record("no region")
            return
        }
        #expect(snapshot.feature("sso")?.type == .boolean)
    }

    @Test func upgradeHintsNameTheNextPlan() throws {
        let snapshot = try compile(sampleCatalog()).get()
        #expect(snapshot.customer(2).segment(at: now).upgradeHint("tokens") == "pro")
        #expect(snapshot.customer(0).segment(at: now).upgradeHint("tokens") == "max")
        #expect(snapshot.customer(2).segment(at: now).upgradeHint("sso") == "pro")
        #expect(snapshot.customer(0).segment(at: now).upgradeHint("sso") == nil)
        #expect(snapshot.customer(1).segment(at: now).upgradeHint("tokens") == "free")
        #expect(snapshot.customer(0).segment(at: now).upgradeHint("api_calls") == nil)
        #expect(snapshot.customer(0).segment(at: now).upgradeHint("nothing") == nil)
    }

    private static func customer(_ index: Int) -> CustomerDefinition {
        let long = SubjectID(String(repeating: "x", count: 1 + index % 240) + "\(index)")
        let terms = SubscriptionTerms(
            plan: index % 2 == 0 ? "pro" : "free", start: Timestamp(seconds: 0))
        return CustomerDefinition(
            id: CustomerID("c\(index)"),
            profile: CustomerProfile(
                subjects: [.init(SubjectID("s\(index)")), .init(long)]),
            subscriptions: [.init(terms: terms)])
    }

    /// Many customers, tables beyond one growth, names of every length: each is found, strangers
    /// are not, and plans are shared.
    @Test func scalesToManyCustomers() throws {
        var catalog = sampleCatalog()
        catalog.customers = (0..<20_000).map(Self.customer)
        let snapshot = try compile(catalog).get()
        for index in stride(from: 0, to: 20_000, by: 7) {
            let long = String(repeating: "x", count: 1 + index % 240)
            #expect(snapshot.customerIndex(subject: "s\(index)") == index)
            #expect(snapshot.customerIndex(subject: long + "\(index)") == index)
            #expect(snapshot.customerIndex(subject: long) == nil)
            #expect(snapshot.customerIndex(CustomerID("c\(index)")) == index)
            let segment = snapshot.customer(index).segment(at: now)
            #expect(segment.quotaCount == (index % 2 == 0 ? 3 : 1))
            let quota = try #require(snapshot.quota(customer: index, "tokens"))
            #expect(quota.customer == CustomerID("c\(index)"))
            // Shared with all customers of the plan.
            let model = snapshot.customer(index % 2).segment(at: now)
            #expect(segment.quotaEntitlement(0) === model.quotaEntitlement(0))
        }
    }

    @Test func equalHashesAreToldApartByTheirBytes() throws {
        let snapshot = try compile(sampleCatalog()).get()
        let other = Array("key_9".utf8)
        // SAFETY: bytes are plain data; the array lives for the call.
        let found = unsafe snapshot.customerIndex(
            subjectHash: snapshot.hash.hash("key_1"), subject: other.span.bytes)
        #expect(found == nil)
    }

    @Test func anEmptyCatalogCompiles() throws {
        let snapshot = try compile(Catalog()).get()
        #expect(snapshot.customerCount == 0 && snapshot.customerIndex(subject: "x") == nil)
        #expect(snapshot.metersOfType("x").isEmpty)
    }
}
