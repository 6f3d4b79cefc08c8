package import MeteringModel

/// A stretch of a quota period in which nothing changes of what usage costs.
package struct UsageSpan: Sendable, Hashable {
    package var from: Timestamp
    /// The first instant after.
    package var to: Timestamp
    /// Nil: usage costs nothing in it, but still uses up what later spans include.
    package var price: UsagePrice?
    /// Of the price; nil without one.
    package var currency: Currency?
    /// Where the price comes from, e.g. `plan pro v3`.
    package var source: String
    /// At the span's end, grants included; nil: there is none, so `included: limit` includes none.
    package var limit: Limit?
    /// The meter's cumulative reading in the quota period at `from` and at `to`, smallest units.
    package var before: Int64
    package var after: Int64

    package init(
        from: Timestamp, to: Timestamp, price: UsagePrice?, currency: Currency?, source: String,
        limit: Limit?, before: Int64, after: Int64
    ) {
        self.from = from
        self.to = to
        self.price = price
        self.currency = currency
        self.source = source
        self.limit = limit
        self.before = before
        self.after = after
    }
}

/// The usage of one feature in one period of its quota, cut where its price or limit changes.
package struct UsageCharge: Sendable, Hashable {
    package var feature: FeatureKey
    package var meter: MeterKey
    /// Decimal places of the meter.
    package var scale: Int
    package var period: Period
    /// Ascending; tile the period, or the part of it that has gone by.
    package var spans: [UsageSpan]

    package init(
        feature: FeatureKey, meter: MeterKey, scale: Int, period: Period, spans: [UsageSpan]
    ) {
        self.feature = feature
        self.meter = meter
        self.scale = scale
        self.period = period
        self.spans = spans
    }
}
