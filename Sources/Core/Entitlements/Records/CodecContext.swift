package import MeteringModel

/// What the meaning of a document depends on besides its text.
package struct CodecContext: Sendable {
    package enum Format: Sendable {
        case json
        /// Scalars have no type of their own: numbers and texts come as strings, and a plain `true`
        /// is a text where a text is wanted.
        case yaml
    }

    /// Why a time zone cannot be used, for people.
    package struct ZoneProblem: Error, Sendable {
        package var message: String
        package init(_ message: String) { self.message = message }
    }
    package typealias ZoneSource = @Sendable (String) throws(ZoneProblem) -> TimeZoneRules

    /// Nil: the document was checked before, so that features are taken for what the document's
    /// shape says, and none is unknown.
    package var features: [FeatureKey: FeatureDefinition]?
    /// Decimal places in which a feature's quantities are written, where there are any.
    package var scales: [FeatureKey: Int]
    /// Whose midnight a date without a time means.
    package var zone: TimeZoneRules
    /// Where `start` is left out; nil: it must be written.
    package var defaultStart: Timestamp?
    /// Finds the zones that customers name; nil: names are not checked.
    package var zones: ZoneSource?
    package var format: Format

    package init(
        features: [FeatureKey: FeatureDefinition]? = nil, scales: [FeatureKey: Int] = [:],
        zone: TimeZoneRules = .utc, defaultStart: Timestamp? = nil, zones: ZoneSource? = nil,
        format: Format = .json
    ) {
        self.features = features
        self.scales = scales
        self.zone = zone
        self.defaultStart = defaultStart
        self.zones = zones
        self.format = format
    }

    /// For documents that speak of a catalog's features.
    package init(
        catalog: Catalog, zone: TimeZoneRules = .utc, defaultStart: Timestamp? = nil,
        zones: ZoneSource? = nil
    ) {
        self.init(
            features: Dictionary(catalog.features.map { ($0.key, $0) }) { first, _ in first },
            scales: Self.scales(catalog.meters, catalog.features), zone: zone,
            defaultStart: defaultStart, zones: zones)
    }

    /// Decimal places by feature, where there are any.
    package static func scales(
        _ meters: [MeterDefinition], _ features: [FeatureDefinition]
    ) -> [FeatureKey: Int] {
        let ofMeter = Dictionary(meters.map { ($0.key, $0.scale) }) { first, _ in first }
        var scales: [FeatureKey: Int] = [:]
        for feature in features {
            guard let scale = feature.meter.flatMap({ ofMeter[$0] }), scale > 0 else { continue }
            // A scale out of bounds is reported when the catalog is compiled.
            if scales[feature.key] == nil { scales[feature.key] = min(scale, 18) }
        }
        return scales
    }

    func scale(of feature: FeatureKey) -> Int { scales.isEmpty ? 0 : scales[feature] ?? 0 }
}
