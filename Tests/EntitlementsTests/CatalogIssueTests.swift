import Entitlements
import MeteringModel
import Testing

@Suite struct CatalogIssueTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var path: String
        var part: String
        var bend: @Sendable (inout Catalog) -> Void
        init(_ path: String, _ part: String, _ bend: @escaping @Sendable (inout Catalog) -> Void) {
            self.path = path
            self.part = part
            self.bend = bend
        }
        var testDescription: String { "\(path): \(part)" }
    }

    static func tokens(
        _ change: @escaping @Sendable (inout MeteredEntitlement) -> Void
    ) -> @Sendable (inout Catalog) -> Void {
        { catalog in
            var metered = MeteredEntitlement(limit: .finite(100), period: .month)
            change(&metered)
            catalog.plans[0].entitlements["tokens"] = .metered(metered)
        }
    }

    static let tokensPath = "plans.0.entitlements.tokens"

    static let cases: [Case] = [
        Case("meters.1.key", "two meters \"tokens\"") { $0.meters[1].key = "tokens" },
        Case("meters.0", "sum needs a value") { $0.meters[0].value = nil },
        Case("meters.1.value", "takes no value") { $0.meters[1].value = ValuePath("$.a") },
        Case("meters.0.scale", "0 to 12") { $0.meters[0].scale = 13 },
        Case("meters.1.scale", "whole numbers") { $0.meters[1].scale = 2 },
        Case("meters.0.event_type", "must not be empty") { $0.meters[0].eventType = "" },
        Case("meters.0.key", "spaces") { $0.meters[0].key = "to kens" },
        Case("meters.2.filters.0", "accept some value") { $0.meters[2].filters[0].accepted = [] },
        Case("features.0.meter", "no meter \"tokenz\"; did you mean \"tokens\"?") {
            $0.features[0].meter = "tokenz"
        },
        Case("features.0", "needs a meter") { $0.features[0].meter = nil },
        Case("features.1.key", "two features \"tokens\"") { $0.features[1].key = "tokens" },
        Case("features.4.meter", "boolean feature has no meter") {
            $0.features[4].meter = "tokens"
        },
        Case("features.5.counting", "static feature is not counted") {
            $0.features[5].counting = .admission
        },
        Case("features.3.counting", "is max, which cannot be charged in advance") {
            $0.features[3].counting = .admission
        },
        Case("features.1.counting", "without filters") {
            $0.meters[1].filters = [MeterFilter(path: ValuePath(members: ["m"]), accepted: ["x"])]
        },
        Case("plans.1.key", "two plans \"free\"") { $0.plans[1].key = "free" },
        Case("plans.0.entitlements.ssso", "no feature \"ssso\"; did you mean \"sso\"?") {
            $0.plans[0].entitlements["ssso"] = .boolean(true)
        },
        Case("plans.0.entitlements.sso", "boolean feature") {
            $0.plans[0].entitlements["sso"] = .metered(.init(limit: .finite(1), period: .day))
        },
        Case("plans.0.entitlements.region", "static feature") {
            $0.plans[0].entitlements["region"] = .boolean(true)
        },
        Case(tokensPath, "metered feature") { $0.plans[0].entitlements["tokens"] = .value("9") },
        Case("\(tokensPath).limit", "negative", tokens { $0.limit = .finite(-1) }),
        Case("\(tokensPath).limit", "minimum only falls") { $0.meters[0].aggregation = .min },
        Case("\(tokensPath).limit", "average rises and falls") { $0.meters[0].aggregation = .avg },
        Case(
            "\(tokensPath).thresholds.0", "above 0", tokens { $0.thresholds = [.absolute(0)] }),
        Case(
            "\(tokensPath).thresholds.1", "twice",
            tokens { $0.thresholds = [.absolute(5), .absolute(5)] }),
        Case(
            "\(tokensPath).thresholds.0", "at most 1000%",
            tokens { $0.thresholds = [.share(basisPoints: 100_001)] }),
        Case(
            "\(tokensPath).thresholds.0", "never reached",
            tokens {
                $0.limit = .unlimited
                $0.thresholds = [.share(basisPoints: 8_000)]
            }),
        Case(
            "\(tokensPath).thresholds.0", "always reached",
            tokens {
                $0.limit = .finite(0)
                $0.thresholds = [.share(basisPoints: 8_000)]
            }),
        Case(
            "\(tokensPath).thresholds", "at most 16",
            tokens { $0.thresholds = (1...17).map { .absolute($0) } }),
        Case(
            "\(tokensPath).on_outage", "age above 0",
            tokens { $0.onOutage = .lastKnown(maxAgeSeconds: 0) }),
        Case(
            "\(tokensPath).on_outage", "spent at admission",
            tokens { $0.onOutage = .allowance(5) }),
        Case(
            "plans.1.entitlements.api_calls.on_outage", "larger than the limit",
            {
                $0.plans[1].entitlements["api_calls"] = .metered(
                    .init(limit: .finite(10), period: .day, onOutage: .allowance(11)))
            }),
        Case(
            "\(tokensPath).durability", "counts events", tokens { $0.durability = .fast }),
        Case("customers.1.id", "two customers \"acme\"") { $0.customers[1].id = "acme" },
        Case("customers.0.time_zone", "\"Mars/Base\" is not an IANA zone known here") {
            $0.customers[0].profile.timeZone = "Mars/Base"
        },
        Case("customers.0.time_zone", "not an IANA zone") {
            $0.customers[0].profile.timeZone = "../../etc/passwd"
        },
        Case("customers.1.subjects.0", "belongs to customer \"acme\" already") {
            $0.customers[1].profile.subjects = [.init("key_2")]
        },
        Case("customers.0.subjects.1", "twice") {
            $0.customers[0].profile.subjects = [.init("k"), .init("k")]
        },
        Case("customers.0.subjects.0", "not be longer") {
            $0.customers[0].profile.subjects = [
                .init(SubjectID(String(repeating: "k", count: 257)))
            ]
        },
        Case("customers.0.subscriptions.0.plan", "no plan \"prо\"") {
            $0.customers[0].subscriptions[0].terms.plan = "prо"
        },
        Case("customers.1.parent", "no customer \"nobody\"") {
            $0.customers[1].profile.parent = "nobody"
        },
        Case("customers.0.parent", "own ancestor: acme → acme") {
            $0.customers[0].profile.parent = "acme"
        },
        Case("customers.0.parent", "own ancestor: acme → acme-labs → acme") {
            $0.customers[0].profile.parent = "acme-labs"
        },
        Case("customers.0.id", "environment's suffix") { $0.customers[0].id = "acme#sandbox" },
        Case("plans.0.product", "no product \"crm\"") { $0.plans[0].product = "crm" },
        Case("products.0.default_plan", "no plan \"pros\"; did you mean \"pro\"?") {
            $0.products = [.init(key: "crm", defaultPlan: "pros")]
        },
        Case("products.0.default_plan", "belongs to product \"default\"") {
            $0.products = [.init(key: "crm", defaultPlan: "pro")]
        },
        Case("add_ons.0.entitlements.tokns", "did you mean \"tokens\"?") {
            $0.addOns = [.init(key: "more", entitlements: ["tokns": .boolean(true)])]
        },
        Case("stripe.prices.price_1", "no add-on \"more\"") {
            $0.stripe = StripeMapping(prices: ["price_1": .addOn("more")])
        },
        Case("\(tokensPath).grace.units", "negative", tokens { $0.grace = Grace(units: -1) }),
        Case("\(tokensPath).overage_max", "negative", tokens { $0.overageMax = -1 }),
        Case("plans.0.entitlements.sso", "boolean feature") {
            $0.plans[0].entitlements["sso"] = .seats(.init(seats: .unlimited))
        },
        Case("customers.10.parent", "at most 8 levels") { catalog in
            for level in 1...9 {
                catalog.customers.append(
                    CustomerDefinition(
                        id: CustomerID("l\(level)"),
                        profile: CustomerProfile(
                            parent: level == 1 ? "acme" : CustomerID("l\(level - 1)"))))
            }
        },
    ]

    @Test(arguments: cases)
    func isReportedWhereItIs(_ item: Case) throws {
        var catalog = sampleCatalog()
        item.bend(&catalog)
        guard case .failure(let found) = compile(catalog) else {
            Issue.record("compiled")
            return
        }
        let isThere = found.issues.contains {
            $0.path.joined(separator: ".") == item.path && $0.message.contains(item.part)
        }
        #expect(isThere, "\(found)")
    }

    @Test func allIssuesComeAtOnceAndAreBounded() {
        var catalog = sampleCatalog()
        catalog.meters[0].value = nil
        catalog.features[1].meter = "nothing"
        catalog.customers[0].profile.timeZone = "Nowhere"
        guard case .failure(let found) = compile(catalog) else {
            Issue.record("compiled")
            return
        }
        #expect(found.issues.count == 3)
        catalog.customers = (0..<500).map {
            CustomerDefinition(
                id: CustomerID("c\($0)"),
                subscriptions: [.init(terms: .init(plan: "gone", start: .init(seconds: 0)))])
        }
        guard case .failure(let many) = compile(catalog) else {
            Issue.record("compiled")
            return
        }
        #expect(many.issues.count == CatalogIssues.keptMax)
        #expect(many.omittedCount == 502 - CatalogIssues.keptMax)
    }

    @Test func eightLevelsAndDeepOrderAreFine() throws {
        var catalog = sampleCatalog()
        // Children before their parents in the document.
        catalog.customers = (1...8).reversed().map {
            CustomerDefinition(
                id: CustomerID("l\($0)"),
                profile: CustomerProfile(parent: $0 == 1 ? nil : CustomerID("l\($0 - 1)")))
        }
        let snapshot = try compile(catalog).get()
        for number in 0..<8 {
            #expect(snapshot.customer(snapshot.root(of: number, at: now)).id == "l1")
        }
    }

    @Test func anUnlimitedAverageIsOnlyWatched() throws {
        var catalog = sampleCatalog()
        catalog.meters[0].aggregation = .avg
        for index in catalog.plans.indices {
            catalog.plans[index].entitlements["tokens"] = .metered(
                .init(limit: .unlimited, period: .month))
        }
        _ = try compile(catalog).get()
    }
}
