import Entitlements
import MeteringModel
import Testing

@Suite struct ContractReaderTests {
    private func entry(_ sequence: Int64, _ at: Int64?, _ patch: String) -> RecordHistory.Entry {
        .init(
            sequence: sequence, effectiveAt: at.map { Timestamp(seconds: $0) } ?? .distantPast,
            patch: json(patch))
    }

    @Test func foldsEachRecordIntoItsSteps() throws {
        let reader = ContractReader(scales: ["tokens": 2])
        let contract = try reader.contract(
            of: "acme",
            [
                RecordHistory(
                    kind: .customer, id: "acme", customer: "acme",
                    entries: [
                        entry(1, nil, #"{"id":"acme","time_zone":"Europe/Berlin","owner":null}"#)
                    ]),
                RecordHistory(
                    kind: .subscription, id: "s", customer: "acme",
                    entries: [
                        entry(
                            2, nil, #"{"plan":"pro","version":1,"start":"2026-01-01T00:00:00Z"}"#),
                        entry(3, 5_000, #"{"managed_by":"stripe"}"#),
                        entry(4, 9_000, #"{"version":2}"#), entry(5, 99_000, "null"),
                    ]),
                RecordHistory(
                    kind: .override, id: "o", customer: "acme",
                    entries: [
                        entry(
                            6, nil,
                            #"{"feature":"tokens","value":{"limit":"12.50"},"start":"2026-01-01T00:00:00Z","reason":"r"}"#
                        )
                    ]),
                RecordHistory(
                    kind: .seat, id: "x", customer: "acme", entries: [entry(7, nil, "{}")]),
            ])
        #expect(contract.profile.value(at: .distantPast)?.timeZone == "Europe/Berlin")
        #expect(contract.subscriptions[0].id == "s")
        let steps = contract.subscriptions[0].terms.steps
        // Who manages a subscription is no part of its terms.
        #expect(steps.map(\.from.seconds) == [Timestamp.distantPast.seconds, 9_000, 99_000])
        #expect(steps.map(\.value?.planVersion) == [1, 2, nil])
        #expect(
            contract.overrides[0].terms.steps[0].value?.value
                == .metered(.init(limit: .finite(1_250))))
        #expect(contract.grants.isEmpty)
    }

    @Test func namesTheRecordThatCannotBeRead() {
        let reader = ContractReader(scales: [:])
        let problem = #expect(throws: FieldProblem.self) {
            try reader.contract(
                of: "acme",
                [
                    RecordHistory(
                        kind: .grant, id: "gr_1", customer: "acme",
                        entries: [entry(1, nil, #"{"feature":"t","amount":"1.5"}"#)])
                ])
        }
        #expect(problem?.path.prefix(2) == ["grant", "gr_1"])
    }

    @Test(arguments: RecordCodecTests.seeds)
    func readsWhatWasChangedStepByStep(seed: UInt64) throws {
        var random = RandomCatalog(seed: seed)
        let terms = (0..<5).map { _ in random.subscription(["seats"]) }
        var history = RecordHistory(kind: .subscription, id: "s", customer: "c")
        var last: JSONValue?
        for (index, step) in terms.enumerated() {
            let next = RecordCodec.encode(Recorded(id: "s", customer: "c", terms: step))
            guard let patch = RecordCodec.patch(from: last, to: next) else { continue }
            history.apply(
                ControlChange(
                    sequence: Int64(index + 1), at: .distantPast, actor: "a", source: "s",
                    effectiveAt: Timestamp(seconds: Int64(index) * 100), requestID: "r",
                    action: .update, kind: .subscription, id: "s", patch: patch))
            last = next
        }
        let contract = try ContractReader(scales: [:]).contract(of: "c", [history])
        for (index, step) in terms.enumerated() {
            let at = Timestamp(seconds: Int64(index) * 100 + 50)
            #expect(contract.subscriptions[0].terms.value(at: at) == step)
        }
    }

    /// A record with one change is read from the patch as it is; the rest are merged first.
    @Test(arguments: RecordCodecTests.seeds)
    func nullsInAPatchAreNothing(seed: UInt64) throws {
        var random = RandomCatalog(seed: seed)
        let feature = FeatureDefinition(key: "t", type: .metered, meter: "m")
        let override = RecordCodec.encode(
            Recorded(id: "o", customer: "c", terms: random.override(feature)), CodecContext())
        let profile = RecordCodec.encode(random.recorded(random.profile(), isCustomer: true))
        func withNulls(_ value: JSONValue, _ names: [String]) -> JSONValue {
            guard case .object(var members) = value else { return value }
            members = members.mapValues { withNulls($0, names) }
            for name in names where members[name] == nil { members[name] = .null }
            return .object(members)
        }
        let patches: [(RecordKind, JSONValue)] = [
            (.customer, withNulls(profile, ["owner", "parent", "metadata", "time_zone"])),
            (.override, withNulls(override, ["end", "priority", "grace", "thresholds", "days"])),
        ]
        for (kind, patch) in patches {
            let once = RecordHistory(
                kind: kind, id: "c", customer: "c",
                entries: [.init(sequence: 1, effectiveAt: .distantPast, patch: patch)])
            var twice = once
            twice.apply(
                ControlChange(
                    sequence: 2, at: .distantPast, actor: "a", source: "s",
                    effectiveAt: .distantPast, requestID: "r", action: .update, kind: kind,
                    id: "c", patch: .object([:])))
            let reader = ContractReader(scales: [:])
            #expect(try reader.contract(of: "c", [once]) == reader.contract(of: "c", [twice]))
        }
    }

    // MARK: the catalog

    @Test(arguments: RecordCodecTests.seeds)
    func recordsMakeTheCatalogAgain(seed: UInt64) throws {
        var random = RandomCatalog(seed: seed)
        var catalog = random.catalog()
        catalog.customers = []
        for index in catalog.plans.indices { catalog.plans[index].version = 1 }
        let context = CodecContext(catalog: catalog)
        func history(_ kind: RecordKind, _ id: String, _ document: JSONValue) -> RecordHistory {
            RecordHistory(
                kind: kind, id: id, customer: nil,
                entries: [.init(sequence: 1, effectiveAt: .distantPast, patch: document)])
        }
        var histories = catalog.addOns.map {
            history(.addOn, $0.key.rawValue, RecordCodec.encode($0, context))
        }
        for plan in catalog.plans {
            histories.append(
                history(.plan, plan.key.rawValue, RecordCodec.encode(StoredPlan(plan), context)))
        }
        histories += catalog.features.map {
            history(.feature, $0.key.rawValue, RecordCodec.encode($0))
        }
        histories += catalog.meters.map { history(.meter, $0.key.rawValue, RecordCodec.encode($0)) }
        histories += catalog.products.map {
            history(.product, $0.key.rawValue, RecordCodec.encode($0))
        }
        if let stripe = catalog.stripe {
            histories.append(history(.integration, "stripe", RecordCodec.encode(stripe)))
        }
        catalog.products.sort { $0.key < $1.key }
        catalog.meters.sort { $0.key < $1.key }
        catalog.features.sort { $0.key < $1.key }
        catalog.plans.sort { $0.key < $1.key }
        catalog.addOns.sort { $0.key < $1.key }
        #expect(try RecordCodec.catalog(of: histories) == catalog)
    }

    @Test func earlierVersionsAndDeletedPlansArePast() throws {
        var pro = StoredPlan(PlanDefinition(key: "pro", entitlements: ["a": .boolean(false)]))
        pro.put(PlanDefinition(key: "pro", name: "Pro", entitlements: ["a": .boolean(true)]))
        let old = StoredPlan(PlanDefinition(key: "old", entitlements: [:]))
        let context = CodecContext()
        let histories = [
            RecordHistory(
                kind: .plan, id: "pro", customer: nil,
                entries: [
                    .init(
                        sequence: 1, effectiveAt: .distantPast,
                        patch: RecordCodec.encode(pro, context))
                ]),
            RecordHistory(
                kind: .plan, id: "old", customer: nil,
                entries: [
                    .init(
                        sequence: 2, effectiveAt: .distantPast,
                        patch: RecordCodec.encode(old, context)),
                    .init(sequence: 3, effectiveAt: Timestamp(seconds: 5), patch: .null),
                ]),
        ]
        let catalog = try RecordCodec.catalog(of: histories)
        #expect(catalog.plans.map(\.version) == [2])
        #expect(catalog.pastPlans.map(\.key) == ["old", "pro"])
        #expect(catalog.pastPlans.map(\.version) == [1, 1])
    }
}
