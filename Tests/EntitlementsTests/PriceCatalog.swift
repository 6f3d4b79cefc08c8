import Entitlements
import MeteringModel
import MeteringPorts
import Testing
import YAMLCatalog

func decimal(_ text: String) throws -> ExactDecimal { try #require(ExactDecimal(text)) }

/// A catalog with every form of price.
enum PriceCatalog {
    static let yaml = """
        meters:
          - {key: tokens, event_type: llm.request, aggregation: sum, value: $.total}
          - {key: hours, event_type: run, aggregation: sum, value: $.hours, scale: 2}
        features:
          - {key: tokens, type: metered, meter: tokens}
          - {key: hours, type: metered, meter: hours}
          - {key: seats, type: seat}
        plans:
          - key: pro
            currency: EUR
            fee: 49.00
            entitlements:
              tokens:
                limit: 1000
                period: month
                enforcement: soft
                price: {unit: "0.000002", included: limit, minimum: 5, maximum: 99.5}
              hours: {limit: unlimited, period: month, price: {package: {size: "1.5", amount: 0.75}, included: "2.25"}}
              seats: {seats: 5, price: {amount: "10", included: 2, timing: arrears, prorate: false, rounding: half_even}}
          - key: scale
            currency: EUR
            fee: {amount: "490", timing: advance, prorate: true, rounding: half_up}
            entitlements:
              tokens:
                limit: unlimited
                period: day
                price:
                  graduated:
                    - {up_to: 1_000_000, unit: 0.00001}
                    - {up_to: 2000000, unit: "0.000007", flat: 2}
                    - {unit: 5e-6, flat: 5}
                  rounding: up
              hours: {limit: 10, period: year, price: {volume: [{up_to: 2.5, flat: 3}, {unit: 0}]}}
              seats: {seats: unlimited, price: 10}
          - key: yen
            currency: JPY
            entitlements:
              tokens: {limit: 5, period: week, price: {flat: 1000}}
        add_ons:
          - {key: backup, currency: EUR, fee: "20.50", entitlements: {tokens: {limit: 500}}}
          - {key: free_pack, entitlements: {tokens: {limit: 100}}}
          - {key: yen_pack, currency: JPY, fee: 100, entitlements: {tokens: {limit: 1}}}
        stripe:
          meters:
            tokens: {event_name: llm_tokens, window: day}
            hours: {event_name: run_hours}
        """

    static func catalog(_ change: (inout Catalog) -> Void = { _ in }) throws -> Catalog {
        var catalog = try YAMLCatalog.parse(yaml)
        change(&catalog)
        return catalog
    }

    static func definitions(
        _ change: (inout Catalog) -> Void = { _ in }
    ) throws -> CompiledDefinitions {
        try CompiledDefinitions.compile(catalog(change), hash: testHash).get()
    }
}
