import Entitlements
import MeteringModel
import Testing

/// Updates against compiling all anew, over random sequences of edits.
@Suite struct SnapshotUpdateTests {
    /// What the control plane would hold.
    private struct Model {
        var maker: RandomContracts
        var contracts: [CustomerID: CustomerContract] = [:]
        /// Those that there are, oldest first.
        var order: [CustomerID] = []
        private var made = 0

        init(seed: UInt64) { maker = RandomContracts(seed: seed) }

        mutating func profile(of id: CustomerID) -> CustomerProfile {
            var profile = CustomerProfile(timeZone: maker.pick(["UTC", "Europe/Berlin"]))
            // Parents are older than their children, and near: no cycles, few levels.
            let place = order.firstIndex(of: id) ?? order.count
            if place > 0, maker.chance(50) {
                let older = order[max(0, place - 3)..<place].filter { depth($0) < 4 }
                if !older.isEmpty { profile.parent = maker.pick(Array(older)) }
            }
            profile.inherits = maker.chance(80)
            while maker.chance(50), profile.subjects.count < 4 {
                let subject = SubjectID("s\(maker.number(0...60))")
                let isTaken = contracts.contains { other, contract in
                    other != id
                        && (contract.profile.steps.last?.value?.subjects.contains {
                            $0.id == subject
                        } ?? false)
                }
                if isTaken || profile.subjects.contains(where: { $0.id == subject }) { continue }
                profile.subjects.append(
                    .init(
                        subject,
                        environment: maker.chance(80) ? .production : maker.pick([.sandbox, .test]))
                )
            }
            return profile
        }

        func depth(_ id: CustomerID) -> Int {
            let parents = contracts[id]?.profile.steps.compactMap { $0.value?.parent } ?? []
            return 1 + (parents.map { depth($0) }.max() ?? 0)
        }

        private mutating func create(_ changed: inout [CustomerID: CustomerContract]) {
            made += 1
            let id = CustomerID("c\(made)")
            let own = maker.contract(id, profile: Dated(profile(of: id)))
            contracts[id] = own
            order.append(id)
            changed[id] = own
        }

        private func isParent(_ id: CustomerID) -> Bool {
            contracts.values.contains { contract in
                contract.profile.steps.contains { $0.value?.parent == id }
            }
        }

        /// Edits some customers as one change.
        mutating func edit() -> (changed: [CustomerContract], removed: [CustomerID]) {
            var changed: [CustomerID: CustomerContract] = [:]
            var removed: [CustomerID] = []
            for _ in 0..<maker.number(1...4) {
                if order.isEmpty || maker.chance(40) {
                    create(&changed)
                    continue
                }
                let id = maker.pick(order)
                if maker.chance(20), changed[id] == nil, !isParent(id) {
                    contracts[id] = nil
                    order.removeAll { $0 == id }
                    removed.append(id)
                } else {
                    contracts[id] = maker.contract(id, profile: Dated(profile(of: id)))
                    changed[id] = contracts[id]
                }
            }
            return (Array(changed.values), removed)
        }
    }

    private static func compile(
        _ contracts: [CustomerContract], keeping: CatalogSnapshot? = nil
    ) throws -> CatalogSnapshot {
        try CatalogSnapshot.compile(
            shopCatalog(), contracts: contracts, revision: 1, hash: testHash, keeping: keeping,
            zone: { TestZones.rules($0) }
        ).get()
    }

    /// Everything that a snapshot says of its customers, by id.
    private static func text(_ snapshot: CatalogSnapshot) -> [String: String] {
        var texts: [String: String] = [:]
        for number in 0..<snapshot.customerCount {
            let customer = snapshot.customer(number)
            if customer.isRemoved { continue }
            var lines = ["\(customer.zone.name) \(customer.environment)"]
            for segment in customer.segments {
                let parent =
                    segment.parent < 0 ? "-" : snapshot.customer(segment.parent).id.rawValue
                lines.append(
                    "\(segment.start.rfc3339()) \(parent) \(segment.inherits) \(segment.absence) "
                        + "\(segment.plan?.rawValue ?? "-") \(segment.quotas.hashValue)")
                // Asking all of every piece takes long and finds no more.
                if segment.position % 3 != 0 { continue }
                for feature in shopDefinitions.featureKeys {
                    let found = snapshot.entitlement(of: number, feature, at: segment.start)
                    let holder = found.map { snapshot.customer($0.holder).id.rawValue } ?? "-"
                    var levels: [String] = []
                    snapshot.levels(of: number, feature: feature, at: segment.start) {
                        levels.append("\($0.id) \($1.quota($2).hashValue)")
                    }
                    lines.append(
                        "\(feature) \(holder) \(found.map { "\($0.value)" } ?? "-") \(levels)")
                }
            }
            texts[customer.id.rawValue] = lines.joined(separator: "\n")
        }
        return texts
    }

    @Test(arguments: 0..<12 as Range<UInt64>)
    func updatingIsCompilingAnew(seed: UInt64) throws {
        var model = Model(seed: seed)
        var snapshot = try Self.compile([])
        var numbers: [CustomerID: Int] = [:]
        for revision in 1...16 as ClosedRange<Int64> {
            let before = revision % 5 == 0 ? Self.text(snapshot) : [:]
            let old = snapshot
            let edit = model.edit()
            let update = try snapshot.updating(
                edit.changed, removing: edit.removed, revision: revision
            ).get()
            snapshot = update.snapshot
            #expect(snapshot.revision == revision)
            #expect(snapshot.definitions === old.definitions)
            // The snapshot before did not notice.
            if !before.isEmpty { #expect(Self.text(old) == before) }
            for contract in edit.changed {
                let number = try #require(snapshot.customerIndex(contract.id))
                #expect(numbers[contract.id] == nil || numbers[contract.id] == number)
                #expect(update.changed.contains(number))
                numbers[contract.id] = number
            }
            for id in edit.removed {
                let number = try #require(snapshot.customerIndex(id))
                #expect(snapshot.customer(number).isRemoved && numbers[id] == number)
                #expect(update.changed.contains(number))
            }
            try Self.checkLookUps(snapshot, model, numbers)
        }
        var fresh = try Self.compile(Array(model.contracts.values))
        // Twins stay where their subjects went; compiled anew they are not there.
        for (id, _) in Self.text(snapshot) where fresh.customerIndex(CustomerID(id)) == nil {
            let twin = snapshot.customer(try #require(snapshot.customerIndex(CustomerID(id))))
            let base = CustomerID(String(id.prefix { $0 != "#" }))
            let number = try #require(fresh.customerIndex(base))
            fresh = fresh.adding(twin.environment, of: number).snapshot
        }
        #expect(Self.text(snapshot) == Self.text(fresh))
        let kept = try Self.compile(model.contracts.values.shuffled(), keeping: snapshot)
        for (id, number) in numbers { #expect(kept.customerIndex(id) == number) }
        #expect(Self.text(kept) == Self.text(snapshot))
        try Self.checkLookUps(kept, model, numbers)
    }

    private static func checkLookUps(
        _ snapshot: CatalogSnapshot, _ model: Model, _ numbers: [CustomerID: Int]
    ) throws {
        for (id, number) in numbers { #expect(snapshot.customerIndex(id) == number) }
        var owners: [SubjectID: CustomerID] = [:]
        for (id, contract) in model.contracts {
            for subject in contract.profile.steps.last?.value?.subjects ?? [] {
                owners[subject.id] = subject.environment.customer(id)
            }
        }
        for number in 0...60 {
            let subject = SubjectID("s\(number)")
            let found = snapshot.customerIndex(ofSubject: subject).map { snapshot.customer($0).id }
            #expect(found == owners[subject])
        }
    }

    @Test func aSubjectMovesBetweenTwoCustomersInOneChange() throws {
        func one(_ id: CustomerID, _ subjects: [CustomerProfile.Subject]) -> CustomerContract {
            contract(id: id, profile: CustomerProfile(subjects: subjects))
        }
        let first = try Self.compile([one("a", [.init("x"), .init("y")]), one("b", [])])
        for batch in [[one("a", [.init("y")]), one("b", [.init("x")])].reversed(), []]
        where !batch.isEmpty {
            let next = try first.updating(Array(batch), revision: 2).get().snapshot
            #expect(next.customerIndex(subject: "x") == next.customerIndex("b"))
            #expect(next.customerIndex(subject: "y") == next.customerIndex("a"))
            #expect(first.customerIndex(subject: "x") == first.customerIndex("a"))
        }
        // Only taken, not given: refused.
        guard case .failure(let issues) = first.updating([one("b", [.init("x")])], revision: 2)
        else {
            Issue.record("taken")
            return
        }
        #expect(issues.issues[0].path == ["customer", "b", "subjects", "0"])
        #expect(issues.issues[0].message == "the subject \"x\" belongs to customer \"a\" already")
        // Into the sandbox of its own customer.
        let moved = try first.updating(
            [one("a", [.init("x", environment: .sandbox), .init("y")])], revision: 2
        ).get().snapshot
        #expect(moved.customerIndex(subject: "x") == moved.customerIndex("a#sandbox"))
    }

    @Test func aSubjectOfAnEndedCustomerMayBeTaken() throws {
        let ended = CustomerContract(
            id: "a",
            profile: Dated(steps: [
                .init(from: .distantPast, value: CustomerProfile(subjects: [.init("x")])),
                .init(from: day(5), value: nil),
            ]))
        let live = contract(id: "b", profile: CustomerProfile(subjects: [.init("x")]))
        let alone = try Self.compile([ended])
        #expect(alone.customerIndex(subject: "x") == 0)
        #expect(alone.customer(0).segment(at: day(4)).isPresent)
        #expect(!alone.customer(0).segment(at: day(5)).isPresent)
        for contracts in [[ended, live], [live, ended]] {
            let both = try Self.compile(contracts)
            #expect(both.customerIndex(subject: "x") == both.customerIndex("b"))
            let later = try both.updating([ended], revision: 2).get().snapshot
            #expect(later.customerIndex(subject: "x") == later.customerIndex("b"))
        }
        let taken = try alone.updating([live], revision: 2).get().snapshot
        #expect(taken.customerIndex(subject: "x") == taken.customerIndex("b"))
    }

    @Test func manyMovesLeaveTheTablesRight() throws {
        var snapshot = try Self.compile(
            (0..<20).map { contract(id: CustomerID("c\($0)"), profile: CustomerProfile()) })
        var maker = RandomContracts(seed: 77)
        var held = [[Int]](repeating: [], count: 20)
        var owner: [Int: Int] = [:]
        for revision in 0..<400 as Range<Int64> {
            let to = maker.number(0...19)
            let subject = maker.number(0...300)
            var touched = [to]
            if let from = owner[subject] {
                held[from].removeAll { $0 == subject }
                if from != to { touched.append(from) }
            }
            held[to].append(subject)
            owner[subject] = to
            let contracts = touched.map { number in
                contract(
                    id: CustomerID("c\(number)"),
                    profile: CustomerProfile(
                        subjects: held[number].map {
                            .init(SubjectID("subject-with-a-long-name-\($0)"))
                        }))
            }
            snapshot = try snapshot.updating(contracts, revision: revision).get().snapshot
        }
        for subject in 0...300 {
            let found = snapshot.customerIndex(subject: "subject-with-a-long-name-\(subject)")
            #expect(found == owner[subject])
        }
    }
}

/// Zones by fixed files would make these tests depend on the machine; offsets suffice.
enum TestZones {
    static func rules(_ name: String) -> TimeZoneRules? {
        ["UTC", "Europe/Berlin"].contains(name) ? .utc : nil
    }
}
