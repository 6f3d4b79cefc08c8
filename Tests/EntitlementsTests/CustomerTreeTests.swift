import Entitlements
import MeteringModel
import Testing

@Suite struct CustomerTreeTests {
    private static func compile(_ contracts: [CustomerContract]) throws -> CatalogSnapshot {
        try CatalogSnapshot.compile(
            shopCatalog(), contracts: contracts, revision: 1, hash: testHash,
            zone: { TestZones.rules($0) }
        ).get()
    }

    private static func child(
        _ id: CustomerID, of parent: CustomerID?, inherits: Bool = true,
        _ subscriptions: [CustomerContract.Held<SubscriptionTerms>] = [],
        suspensions: [CustomerContract.Held<SuspensionTerms>] = []
    ) -> CustomerContract {
        contract(
            subscriptions, id: id, profile: CustomerProfile(parent: parent, inherits: inherits),
            suspensions: suspensions)
    }

    private static func limits(
        _ snapshot: CatalogSnapshot, _ id: CustomerID, at instant: Timestamp = day(10)
    ) -> [String] {
        var found: [String] = []
        guard let number = snapshot.customerIndex(id) else { return ["unknown"] }
        snapshot.levels(of: number, feature: "tokens", at: instant) { customer, segment, quota in
            let limit = segment.quota(quota).limit.finite.map { String($0) } ?? "unlimited"
            found.append("\(customer.id) \(limit)")
        }
        return found
    }

    @Test func chargesGoToEveryLevelThatHasAQuota() throws {
        // A child may come before its parent.
        let snapshot = try Self.compile([
            Self.child("team", of: "unit", [subscription("free")]), Self.child("unit", of: "acme"),
            Self.child("acme", of: nil, [subscription("pro")]),
        ])
        #expect(Self.limits(snapshot, "team") == ["team 100", "acme 1000"])
        #expect(Self.limits(snapshot, "unit") == ["acme 1000"])
        let unit = try #require(snapshot.customerIndex("unit"))
        let acme = try #require(snapshot.customerIndex("acme"))
        let found = try #require(snapshot.entitlement(of: unit, "tokens", at: day(10)))
        #expect(found.holder == acme && found.source == "plan pro v3")
        #expect(snapshot.root(of: unit, at: day(10)) == acme)
        #expect(snapshot.entitlement(of: unit, "tokens", at: day(-1)) == nil)
        var line: [CustomerID] = []
        let team = try #require(snapshot.customerIndex("team"))
        snapshot.lineage(of: team, at: day(10)) { customer, _ in line.append(customer.id) }
        #expect(line == ["team", "unit", "acme"])
    }

    @Test func aChangeOfTheParentIsSeenByItsChildren() throws {
        let first = try Self.compile([
            Self.child("acme", of: nil, [subscription("free")]), Self.child("team", of: "acme"),
        ])
        let next = try first.updating(
            [Self.child("acme", of: nil, [subscription("pro")])], revision: 2
        ).get()
        #expect(next.changed == [0])
        #expect(Self.limits(next.snapshot, "team") == ["acme 1000"])
        #expect(Self.limits(first, "team") == ["acme 100"])
    }

    @Test func inheritanceStopsWhereItIsSwitchedOffOrSuspended() throws {
        let suspended = CustomerContract.Held(
            id: "su_1", terms: Dated(SuspensionTerms(start: day(5), reason: "unpaid")))
        let snapshot = try Self.compile([
            Self.child("acme", of: nil, [subscription("pro")]),
            Self.child("alone", of: "acme", inherits: false),
            Self.child("held", of: "acme", suspensions: [suspended]),
            Self.child("old", of: "acme", [subscription("crm_basic", to: day(5))]),
            Self.child("below", of: "held"),
        ])
        func found(_ id: CustomerID, _ feature: FeatureKey) throws -> CompiledEntitlement? {
            let number = try #require(snapshot.customerIndex(id))
            return snapshot.entitlement(of: number, feature, at: day(10))
        }
        #expect(try found("alone", "sso") == nil)
        // The parent's limit binds all the same.
        #expect(Self.limits(snapshot, "alone") == ["acme 1000"])
        #expect(try found("held", "sso") == nil)
        #expect(snapshot.absence(of: 2, at: day(10)) == .suspended)
        #expect(snapshot.absence(of: 4, at: day(10)) == .suspended)
        #expect(snapshot.absence(of: 1, at: day(10)) == .notEntitled)
        // What ran out is the parent's again; what only the child had is over.
        #expect(try found("old", "tokens")?.holder == 0)
        guard case .denied(.expired)? = try found("old", "export")?.value else {
            Issue.record("not expired")
            return
        }
    }

    @Test func parentsChangeInTime() throws {
        var moving = Self.child("team", of: "a")
        moving.profile.steps.append(.init(from: day(10), value: CustomerProfile(parent: "b")))
        let snapshot = try Self.compile([
            moving, Self.child("a", of: nil, [subscription("free")]),
            Self.child("b", of: nil, [subscription("pro")]),
        ])
        #expect(Self.limits(snapshot, "team", at: day(9)) == ["a 100"])
        #expect(Self.limits(snapshot, "team", at: day(10)) == ["b 1000"])
        #expect(snapshot.customer(0).nextBoundary(after: day(9)) == day(10))
        #expect(snapshot.customer(0).nextBoundary(after: day(10)) == nil)
    }

    // MARK: what a tree must be

    private static func issue(
        _ snapshot: CatalogSnapshot, _ contracts: [CustomerContract], removing: [CustomerID] = []
    ) -> String {
        switch snapshot.updating(contracts, removing: removing, revision: 2) {
        case .success: "none"
        case .failure(let issues): issues.description
        }
    }

    @Test func aMoveIsCheckedWithAllBelowIt() throws {
        var contracts = [Self.child("l1", of: nil)]
        for level in 2...8 {
            contracts.append(Self.child(CustomerID("l\(level)"), of: CustomerID("l\(level - 1)")))
        }
        let snapshot = try Self.compile(contracts + [Self.child("top", of: nil)])
        let deep = Self.issue(snapshot, [Self.child("l1", of: "top")])
        #expect(deep == "customer.l1.parent: customers nest at most 8 levels deep")
        let cycle = Self.issue(snapshot, [Self.child("l1", of: "l3")])
        #expect(cycle.contains("own ancestor: l1 → l3 → l2 → l1"))
        #expect(Self.issue(snapshot, [Self.child("l3", of: "top")]) == "none")
        #expect(
            Self.issue(snapshot, [Self.child("top", of: "nobody")])
                == "customer.top.parent: there is no customer \"nobody\"")
        #expect(
            Self.issue(snapshot, [], removing: ["l4"])
                == "customer.l4: the customer is the parent of \"l5\"")
        #expect(Self.issue(snapshot, [Self.child("l5", of: nil)], removing: ["l4"]) == "none")
        #expect(
            Self.issue(snapshot, [Self.child("new", of: "l4")], removing: ["l4", "l5"])
                .contains("no customer \"l4\""))
    }

    @Test func cyclesAreFoundAtAnyTime() throws {
        // a is below b from day 10 on, b below a until day 20.
        var a = Self.child("a", of: nil)
        a.profile.steps.append(.init(from: day(10), value: CustomerProfile(parent: "b")))
        var b = Self.child("b", of: "a")
        b.profile.steps.append(.init(from: day(20), value: CustomerProfile()))
        let empty = try Self.compile([])
        #expect(Self.issue(empty, [a, b]).contains("own ancestor"))
        // With the days the other way round they never are at once.
        b.profile.steps[1].from = day(10)
        #expect(Self.issue(empty, [a, b]) == "none")
    }

    // MARK: environments

    @Test func anotherEnvironmentHasItsOwnCountersAndTheSameRights() throws {
        let parent = contract(
            [subscription("pro")], id: "acme", profile: CustomerProfile(subjects: [.init("k1")]))
        let child = contract(
            [subscription("free")], id: "team",
            profile: CustomerProfile(
                parent: "acme", subjects: [.init("k2"), .init("k3", environment: .sandbox)]))
        let snapshot = try Self.compile([parent, child])
        let twin = try #require(snapshot.customerIndex("team#sandbox"))
        #expect(snapshot.customerIndex(subject: "k3") == twin)
        #expect(snapshot.customer(twin).environment == .sandbox)
        #expect(!snapshot.customer(twin).environment.isBillable)
        // Not even an ancestor's production counter is charged.
        #expect(Self.limits(snapshot, "team#sandbox") == ["team#sandbox 100", "acme#sandbox 1000"])
        #expect(snapshot.customerIndex(1, environment: .sandbox) == twin)
        #expect(snapshot.customerIndex(twin, environment: .production) == 1)
        #expect(snapshot.customerIndex(1, environment: .test) == nil)
        let update = snapshot.adding(.test, of: twin)
        #expect(
            update.changed.map { update.snapshot.customer($0).id } == ["team#test", "acme#test"])
        #expect(Self.limits(update.snapshot, "team#test") == ["team#test 100", "acme#test 1000"])
        // Twins follow their customers.
        var richer = parent
        richer.subscriptions = [subscription("max")]
        let next = try update.snapshot.updating([richer], revision: 2).get()
        #expect(
            Self.limits(next.snapshot, "team#test") == ["team#test 100", "acme#test unlimited"])
        #expect(next.changed.count == 3)
        let gone = try next.snapshot.updating(
            [Self.child("team", of: nil)], removing: ["acme"], revision: 3
        ).get().snapshot
        #expect(Self.limits(gone, "team#test") == [])
        let dead = try #require(gone.customerIndex("acme#test"))
        #expect(gone.customer(dead).isRemoved)
    }

    @Test func aCustomerOfAnotherEnvironmentIsItself() throws {
        let snapshot = try Self.compile([
            contract(
                [subscription("pro")], id: "demo",
                profile: CustomerProfile(
                    environment: .sandbox,
                    subjects: [.init("k1"), .init("k2", environment: .sandbox)]))
        ])
        #expect(snapshot.customerCount == 1)
        #expect(snapshot.customerIndex(subject: "k2") == 0)
        #expect(snapshot.customerIndex(0, environment: .sandbox) == 0)
    }
}
