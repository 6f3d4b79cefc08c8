import Entitlements
import Foundation
import MeteringModel
import MeteringPorts
import Testing
import YAMLCatalog

@Suite struct YAMLCatalogTests {
    /// The example of the interface document, with every other member besides.
    static let full = """
        meters:
          - {key: tokens, event_type: llm.request, aggregation: sum, value: $.total_tokens, unit: token, group_by: {model: $.model}}
          - {key: requests, event_type: llm.request, aggregation: count}
          - key: spend
            event_type: payment
            aggregation: sum
            value: $.amount.value
            scale: 2
            allow_negative: true
            filters:
              model: [a, b]
              $.region.name: eu
              currency: no
        features:
          - {key: tokens, type: metered, meter: tokens, counting: events}
          - {key: api_calls, type: metered, meter: requests, counting: admission}
          - {key: spend, type: metered, meter: spend}
          - {key: sso, type: boolean}
          - {key: region, type: static}
        plans:
          - key: pro
            entitlements:
              tokens: {limit: 1_000_000, period: month, anchor: calendar, thresholds: [80%, 99.5%, 120%, 5_000], enforcement: soft}
              api_calls: {limit: 10000, period: month, anchor: subscription, enforcement: hard, on_outage: {allowance: 100}, durability: fast}
              spend: {limit: "12.5", period: lifetime, thresholds: [10, 7.25], on_outage: {last_known: 5m}}
              sso: true
              region: no
          - key: max
            entitlements:
              tokens: {limit: unlimited, period: month, on_outage: open}
        customers:
          - {id: acme, time_zone: Europe/Berlin, subjects: [key_1, 2], subscription: {plan: pro, start: 2026-01-31}}
          - {id: 0123, parent: acme, subscription: {plan: max, start: 2026-01-31T10:00:00+01:00}}
        """

    @Test func readsTheWholeFormat() throws {
        let catalog = try YAMLCatalog.parse(Self.full)
        #expect(catalog.meters[0].groupBy.map(\.name) == ["model"])
        let spend = catalog.meters[2]
        #expect(spend.scale == 2 && spend.allowsNegative)
        #expect(spend.value == ValuePath(members: ["amount", "value"]))
        #expect(spend.filters.map(\.path.text) == ["$.currency", "$.model", "$.region.name"])
        #expect(spend.filters.map(\.accepted) == [["no"], ["a", "b"], ["eu"]])
        #expect(catalog.features[1].counting == .admission)

        let pro = catalog.plans[0].entitlements
        #expect(
            pro["tokens"]
                == .metered(
                    .init(
                        limit: .finite(1_000_000), period: .month,
                        thresholds: [
                            .share(basisPoints: 8_000), .share(basisPoints: 9_950),
                            .share(basisPoints: 12_000), .absolute(5_000),
                        ], enforcement: .soft)))
        #expect(
            pro["api_calls"]
                == .metered(
                    .init(
                        limit: .finite(10_000), period: .month, anchor: .subscription,
                        onOutage: .allowance(100), durability: .fast)))
        #expect(
            pro["spend"]
                == .metered(
                    .init(
                        limit: .finite(1_250), period: .lifetime,
                        thresholds: [.absolute(1_000), .absolute(725)],
                        onOutage: .lastKnown(maxAgeSeconds: 300))))
        #expect(pro["sso"] == .boolean(true) && pro["region"] == .value("no"))
        #expect(
            catalog.plans[1].entitlements["tokens"]
                == .metered(.init(limit: .unlimited, period: .month, onOutage: .open)))

        let acme = catalog.customers[0]
        #expect(acme.profile.subjects.map(\.id) == ["key_1", "2"])
        #expect(acme.subscriptions.first?.terms.start.rfc3339() == "2026-01-30T23:00:00Z")
        #expect(catalog.customers[1].id == "0123")
        #expect(
            catalog.customers[1].subscriptions.first?.terms.start.rfc3339()
                == "2026-01-31T09:00:00Z")
    }

    @Test func aRenderedCatalogReadsAsItself() throws {
        for catalog in [try YAMLCatalog.parse(Self.full), unnumbered(sampleCatalog()), Catalog()] {
            let text = YAMLCatalog.render(catalog)
            #expect(try YAMLCatalog.parse(text) == catalog, "\(text)")
        }
        var odd = unnumbered(sampleCatalog())
        odd.customers[0].profile.subjects = [
            "no", "null", "12", "a: b", "#x", "\"quoted\\\"", "é\u{85}\u{2028}", "*a", "&a", "-",
            "", "🙂", "{}", "%", "~", "a,b", "'", "80%", "true", "\u{FFFF}",
        ].map { .init($0) }
        #expect(try YAMLCatalog.parse(YAMLCatalog.render(odd)) == odd)
    }

    @Test func theDemoCatalogReadsAsItself() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let path = root.appending(path: "deploy/demo-catalog.yaml")
        let catalog = try YAMLCatalog.parse(String(contentsOf: path, encoding: .utf8))
        #expect(catalog.customers.count == 50 && catalog.plans.count == 3)
        #expect(try YAMLCatalog.parse(YAMLCatalog.render(catalog)) == catalog)
    }

    @Test func sectionsMayBeMissingOrEmpty() throws {
        #expect(try YAMLCatalog.parse("meters: []") == Catalog())
        #expect(try YAMLCatalog.parse("meters:\nplans:\n") == Catalog())
        #expect(try YAMLCatalog.parse("{}") == Catalog())
    }

    @Test func customersMayHaveMoreThanOneSubscription() throws {
        let yaml = """
            products: [{key: vault, default_plan: safe}]
            features: [{key: seats, type: seat}, {key: files, type: boolean}]
            plans:
              - {key: pro, entitlements: {seats: 5}}
              - {key: safe, product: vault, name: Safe, entitlements: {files: {enabled: true, regions: [eu]}}}
            add_ons: [{key: more, entitlements: {seats: {seats: 2}}}]
            stripe: {prices: {price_1: {plan: pro}, price_2: {seats: seats}}, failed_attempts: 3}
            customers:
              - id: acme
                name: Acme
                time_zone: Europe/Berlin
                environment: production
                subjects: [key_1, {id: key_2, environment: sandbox}]
                external_ids: {stripe: cus_1}
                metadata: {tier: 1, beta: true}
                subscriptions:
                  - {plan: pro, start: 2026-01-01, end: 2026-12-31, seats: {seats: 60}, add_ons: [more, {key: more, quantity: 2}]}
                  - {id: s2, plan: safe, version: 3, start: "2026-03-29T02:30", trial_end: 2026-04-30, trial_converts: true, renewal: none, billing_frequency: annual}
            """
        let catalog = try YAMLCatalog.parse(yaml)
        #expect(catalog.products == [ProductDefinition(key: "vault", defaultPlan: "safe")])
        #expect(catalog.plans[0].entitlements["seats"] == .seats(.init(seats: .finite(5))))
        #expect(catalog.plans[1].bindings["files"] == Binding(regions: ["eu"]))
        #expect(catalog.stripe?.prices["price_2"] == .seats("seats"))
        let acme = catalog.customers[0]
        #expect(acme.profile.subjects[1] == .init("key_2", environment: .sandbox))
        #expect(acme.profile.metadata == ["tier": "1", "beta": "true"])
        let first = acme.subscriptions[0].terms
        #expect(first.end?.rfc3339() == "2026-12-31T23:00:00Z")
        #expect(first.seats == ["seats": .finite(60)])
        #expect(first.addOns == [.init(key: "more"), .init(key: "more", quantity: 2)])
        let second = acme.subscriptions[1]
        // The clocks go from 02:00 to 03:00 that night: a time that there is not is the next one.
        #expect(second.terms.start.rfc3339() == "2026-03-29T01:00:00Z")
        #expect(second.terms.trialEnd?.rfc3339() == "2026-04-30T22:00:00Z")
        #expect(second.id == "s2" && second.terms.planVersion == 3 && second.terms.trialConverts)
        #expect(try YAMLCatalog.parse(YAMLCatalog.render(catalog)) == catalog)
    }

    // MARK: hostile text

    @Test func aliasesAreRefusedBeforeTheyGrow() {
        var bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        for (outer, inner) in zip("bcdefghijk", "abcdefghij") {
            let aliases = Array(repeating: "*\(inner)", count: 10).joined(separator: ", ")
            bomb += "\(outer): &\(outer) [\(aliases)]\n"
        }
        bomb += "? *k\n: 1\n"
        let problem = problems(bomb).first
        #expect(problem?.line == 2 && problem?.column == 8)
        #expect(problem?.message.contains("aliases (*a)") == true)
        // A quote in a plain scalar hides nothing.
        #expect(problems("meters: &m []\nx: it's\ny: *m").first?.message.contains("*m") == true)
        // Stars and ampersands in texts and comments are fine.
        #expect(throws: Never.self) { try YAMLCatalog.parse("# all *plans* & more\nmeters: []") }
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "- [", "&a [", "a:\n "])
    func deepNestingIsAProblemNotACrash(opening: String) {
        let text = String(repeating: opening, count: 50_000)
        #expect(!problems(text).isEmpty)
        #expect(!problems(String(repeating: opening, count: 900)).isEmpty)
    }

    @Test func largeDocumentsAreRefusedUnread() {
        let text = "# " + String(repeating: "x", count: 64 << 20)
        #expect(problems(text).first?.message.contains("64 MiB") == true)
    }

    @Test func anyCutOrFlippedByteIsAnswered() {
        var random = SystemRandomNumberGenerator()
        let whole = Array(Self.full.utf8)
        for _ in 0..<400 {
            var bytes = Array(whole.prefix(Int.random(in: 1...whole.count, using: &random)))
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                in: 0...255, using: &random)
            let text = String(decoding: bytes, as: UTF8.self)
            for problem in problems(text) { #expect(problem.line >= 1 && problem.column >= 1) }
        }
    }

    @Test func problemsAreBounded() {
        let text = "meters:\n" + String(repeating: "  - 1\n", count: 1_000)
        let found = problems(text)
        #expect(found.count == 201)
        #expect(found.last?.message == "and 800 more problems")
    }
}

/// As a document has it: plans without the numbers of their versions.
func unnumbered(_ catalog: Catalog) -> Catalog {
    var catalog = catalog
    for index in catalog.plans.indices { catalog.plans[index].version = 0 }
    return catalog
}

/// Problems of form; if there is none, of meaning.
func problems(_ yaml: String) -> [CatalogProblems.Problem] {
    do {
        let document = try YAMLCatalog.document(yaml)
        guard case .failure(let issues) = compile(document.catalog) else { return [] }
        return document.problems(for: issues).problems
    } catch {
        return error.problems
    }
}
