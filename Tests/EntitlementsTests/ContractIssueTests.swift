import Entitlements
import MeteringModel
import Testing

/// What is wrong with a contract is told with the record and the field that it is about.
@Suite struct ContractIssueTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var path: String
        var part: String
        var contract: CustomerContract
        init(_ path: String, _ part: String, _ contract: CustomerContract) {
            self.path = path
            self.part = part
            self.contract = contract
        }
        var testDescription: String { "\(path): \(part)" }
    }

    private static func suspended(_ terms: SuspensionTerms) -> CustomerContract {
        contract(suspensions: [.init(id: "su_1", terms: Dated(terms))])
    }

    static let cases: [Case] = [
        Case(
            "subscription.sub_prp.plan", "no plan \"prp\"; did you mean \"pro\"?",
            contract([subscription("prp")])),
        Case(
            "subscription.sub_pro.version", "has no version 7",
            contract([subscription("pro", version: 7)])),
        Case(
            "subscription.sub_pro.end", "before the start",
            contract([subscription("pro", to: day(-1))])),
        Case(
            "subscription.sub_pro.trial_end", "before the start",
            contract([subscription("pro") { $0.trialEnd = day(-1) }])),
        Case(
            "subscription.sub_pro.add_ons.0.key", "no add-on \"pck\"; did you mean \"pack\"?",
            contract([subscription("pro") { $0.addOns = [.init(key: "pck")] }])),
        Case(
            "subscription.sub_pro.add_ons.0.quantity", "at least 1",
            contract([subscription("pro") { $0.addOns = [.init(key: "pack", quantity: 0)] }])),
        Case(
            "subscription.sub_pro.seats.tokens", "metered feature",
            contract([subscription("pro") { $0.seats = ["tokens": .finite(1)] }])),
        Case(
            "subscription.sub_pro.seats.seats", "negative",
            contract([subscription("pro") { $0.seats = ["seats": .finite(-1)] }])),
        Case(
            "subscription.sub_pro.start", "has subscription \"sub_free\" of product \"default\"",
            contract([subscription("pro", from: day(20)), subscription("free")])),
        Case(
            "override.ov_1.feature", "no feature \"tokns\"; did you mean \"tokens\"?",
            contract(overrides: [override("ov_1", "tokns", .boolean(true))])),
        Case(
            "override.ov_1.value", "metered feature",
            contract(overrides: [override("ov_1", "tokens", .boolean(true))])),
        Case(
            "override.ov_1.end", "before the start",
            contract(overrides: [override("ov_1", "sso", .boolean(true), to: day(-1))])),
        Case(
            "override.ov_1.value.limit", "negative",
            contract(overrides: [override("ov_1", "tokens", .metered(.init(limit: .finite(-1))))])),
        Case(
            "override.ov_1.value.thresholds.1", "above 0",
            contract(overrides: [
                override(
                    "ov_1", "tokens", .metered(.init(thresholds: [.absolute(1), .absolute(0)])))
            ])),
        Case(
            "override.ov_1.value.grace.days", "negative",
            contract(overrides: [
                override("ov_1", "tokens", .metered(.init(grace: Grace(days: -1))))
            ])),
        Case(
            "override.ov_1.value.seats", "negative",
            contract(overrides: [override("ov_1", "seats", .seats(.finite(-5)))])),
        Case(
            "grant.gr_1.amount", "negative", contract(grants: [grant("gr_1", -1)])),
        Case(
            "grant.gr_1.rollover.min", "min must not be above max",
            contract(grants: [grant("gr_1", 1, min: 5, max: 4)])),
        Case(
            "grant.gr_1.expires", "before the start",
            contract(grants: [grant("gr_1", 1, to: day(-1))])),
        Case(
            "grant.gr_1.feature", "only metered",
            contract(grants: [grant("gr_1", 1, feature: "sso")])),
        Case(
            "suspension.su_1.product", "no product \"crn\"; did you mean \"crm\"?",
            suspended(.init(product: "crn", start: day(0), reason: "x"))),
        Case(
            "suspension.su_1.end", "before the start",
            suspended(.init(start: day(0), end: day(-1), reason: "x"))),
        Case(
            "revocation.rv_1.product", "no product",
            contract(revocations: [
                .init(
                    id: "rv_1",
                    terms: Dated(RevocationTerms(product: "x", start: day(0), reason: "x")))
            ])),
        Case(
            "customer.acme.time_zone", "not an IANA zone",
            contract(profile: CustomerProfile(timeZone: "Mars/Base"))),
        Case("customer.acme#test.id", "environment's suffix", contract(id: "acme#test")),
    ]

    private static func compile(_ contracts: [CustomerContract]) -> Result<
        CatalogSnapshot, CatalogIssues
    > {
        CatalogSnapshot.compile(
            shopCatalog(), contracts: contracts, revision: 1, hash: testHash,
            zone: { TestZones.rules($0) })
    }

    @Test(arguments: cases)
    func isReportedWhereItIs(_ item: Case) throws {
        let empty = try Self.compile([]).get()
        let updated = empty.updating([item.contract], revision: 2).map(\.snapshot)
        for result in [updated, Self.compile([item.contract])] {
            guard case .failure(let found) = result else {
                Issue.record("compiled")
                continue
            }
            #expect(found.issues.count == 1, "\(found)")
            let issue = try #require(found.issues.first)
            #expect(issue.path.joined(separator: ".") == item.path)
            #expect(issue.message.contains(item.part), "\(issue)")
        }
    }

    @Test func whatFollowsOneAnotherDoesNotOverlap() throws {
        let own = contract([
            subscription("free", to: day(20)), subscription("pro", from: day(20)),
            subscription("crm_basic"),
        ])
        _ = try Self.compile([own]).get()
    }

    @Test func aLimitThatTheMeterCannotHonourIsRefused() throws {
        var catalog = shopCatalog()
        catalog.meters.append(
            MeterDefinition(
                key: "latency", eventType: "llm.request", aggregation: .avg,
                value: ValuePath(members: ["ms"])))
        catalog.features.append(
            FeatureDefinition(key: "latency", type: .metered, meter: "latency"))
        for (own, path) in [
            (
                contract(overrides: [
                    override("ov_1", "latency", .metered(.init(limit: .finite(5))))
                ]), "override.ov_1.value.limit"
            ), (contract(grants: [grant("gr_1", 5, feature: "latency")]), "grant.gr_1.feature"),
        ] {
            let result = CatalogSnapshot.compile(
                catalog, contracts: [own], revision: 1, hash: testHash,
                zone: { TestZones.rules($0) })
            guard case .failure(let found) = result else {
                Issue.record("compiled")
                continue
            }
            #expect(found.issues[0].path.joined(separator: ".") == path)
            #expect(found.issues[0].message.contains("average"))
        }
    }

    /// A record that is deleted, or was otherwise once, is history: it does not block a change.
    @Test func thePastIsNotChecked() throws {
        var own = contract(overrides: [override("ov_1", "tokns", .boolean(true))])
        own.overrides[0].terms.steps.append(.init(from: day(5), value: nil))
        _ = try Self.compile([own]).get()
    }
}
