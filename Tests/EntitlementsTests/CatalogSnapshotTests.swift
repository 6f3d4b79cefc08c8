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
        #expect(snapshot.customers[1].root == "acme")
        #expect(snapshot.customers[0].zone.name == "Europe/Berlin")
        #expect(snapshot.customers[1].plan == nil && snapshot.customers[1].quotas.isEmpty)
    }

    @Test func quotasCarryEverythingADecisionNeeds() throws {
        let snapshot = try compile(sampleCatalog()).get()
        let acme = snapshot.customers[0]
        #expect(acme.plan == "pro" && acme.planVersion == 3)
        #expect(acme.quotas == 0..<3)
        #expect(acme.quotas(ofMeter: 0).map { snapshot.quotas[$0].feature } == ["tokens"])
        #expect(
            acme.quotas(ofMeter: 1).map { snapshot.quotas[$0].feature } == ["api_calls", "burst"])
        #expect(acme.quotas(ofMeter: 2).isEmpty)
        let index = try #require(snapshot.quotaIndex(customer: 0, feature: "tokens"))
        let quota = snapshot.quotas[index]
        #expect(quota.customer == "acme" && quota.source == "plan pro v3")
        #expect(quota.thresholds.map(\.label) == ["500", "80%", "100%"])
        let start = Timestamp(seconds: 1_769_814_000)
        #expect(quota.rule == PeriodRule(unit: .month, anchor: .subscription(start: start)))
        #expect(quota.enforcement == .soft && quota.counting == .events)
        let calls = try #require(snapshot.quotaIndex(customer: 0, feature: "api_calls"))
        #expect(snapshot.quotas[calls].counting == .admission)
        #expect(snapshot.quotas[calls].rule.anchor == .calendar)
        #expect(snapshot.quotaIndex(customer: 0, feature: "sso") == nil)
        #expect(snapshot.quotaIndex(customer: 1, feature: "tokens") == nil)
        #expect(snapshot.quotaIndex(customer: 2, feature: "tokens") == 3)
        #expect(acme.entitlements["region"] == .value("eu"))
        #expect(snapshot.feature("sso")?.type == .boolean)
    }

    @Test func upgradeHintsNameTheNextPlan() throws {
        let snapshot = try compile(sampleCatalog()).get()
        #expect(snapshot.upgradeHint(customer: 2, feature: "tokens") == "pro")
        #expect(snapshot.upgradeHint(customer: 0, feature: "tokens") == "max")
        #expect(snapshot.upgradeHint(customer: 2, feature: "sso") == "pro")
        #expect(snapshot.upgradeHint(customer: 0, feature: "sso") == nil)
        #expect(snapshot.upgradeHint(customer: 1, feature: "tokens") == "free")
        #expect(snapshot.upgradeHint(customer: 0, feature: "api_calls") == nil)
        #expect(snapshot.upgradeHint(customer: 0, feature: "nothing") == nil)
    }

    /// Many customers, tables beyond one growth, names of every length: each is found, strangers
    /// are not, and plans are shared.
    @Test func scalesToManyCustomers() throws {
        var catalog = sampleCatalog()
        catalog.customers = (0..<20_000).map { index in
            CustomerDefinition(
                id: CustomerID("c\(index)"),
                subjects: [
                    SubjectID("s\(index)"),
                    SubjectID(String(repeating: "x", count: 1 + index % 240) + "\(index)"),
                ],
                subscription: .init(plan: index % 2 == 0 ? "pro" : "free", start: .init(seconds: 0))
            )
        }
        let snapshot = try compile(catalog).get()
        #expect(snapshot.quotas.count == 10_000 * 4)
        for index in stride(from: 0, to: 20_000, by: 7) {
            let long = String(repeating: "x", count: 1 + index % 240)
            #expect(snapshot.customerIndex(subject: "s\(index)") == index)
            #expect(snapshot.customerIndex(subject: long + "\(index)") == index)
            #expect(snapshot.customerIndex(subject: long) == nil)
            #expect(snapshot.customerIndex(CustomerID("c\(index)")) == index)
            let quota = try #require(snapshot.quotaIndex(customer: index, feature: "tokens"))
            #expect(snapshot.quotas[quota].customer == CustomerID("c\(index)"))
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
        #expect(snapshot.customers.isEmpty && snapshot.customerIndex(subject: "x") == nil)
        #expect(snapshot.metersOfType("x").isEmpty)
    }
}
