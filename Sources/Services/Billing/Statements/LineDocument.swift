import Entitlements
import MeteringModel
import MeteringPorts
import Rating

/// A line with all that explains its amount, as it is kept and shown.
enum LineDocument {
    static func line(
        _ draft: LineDraft, id: String, makesDocument: Bool
    ) -> StatementLine {
        let rated = draft.rated
        return StatementLine(
            id: id, kind: kind(rated.kind), key: rated.key, feature: rated.feature,
            meter: rated.meter, item: rated.item, subscription: rated.subscription,
            period: rated.period, from: rated.from, to: rated.to, quantity: rated.quantity,
            scale: rated.scale, currency: rated.currency, amount: rated.amount,
            document: makesDocument ? document(draft, id: id) : .null)
    }

    private static func kind(_ kind: RatedLine.Kind) -> StatementLine.Kind {
        switch kind {
        case .usage: .usage
        case .minimum: .minimum
        case .fee: .fee
        case .seats: .seats
        case .addOn: .addOn
        }
    }

    private static func document(_ draft: LineDraft, id: String) -> JSONValue {
        let rated = draft.rated
        return .members([
            "id": .string(id), "kind": .string(rated.kind.rawValue), "key": .string(rated.key),
            "feature": rated.feature.map { .string($0.rawValue) },
            "meter": rated.meter.map { .string($0.rawValue) },
            "subscription": rated.subscription.map { .string($0) },
            "item": rated.item.map { .string($0) }, "source": .string(rated.source),
            "period": period(rated.period), "from": time(rated.from), "to": time(rated.to),
            "due_at": time(rated.dueAt),
            "quantity": RecordCodec.quantity(rated.quantity, scale: rated.scale),
            "included_quantity": RecordCodec.quantity(rated.includedQuantity, scale: rated.scale),
            "unit_price": rated.unitPrice.map { .string($0.text) },
            "parts": rated.parts.isEmpty ? nil : .array(rated.parts.map { part($0, rated.scale) }),
            "proration": rated.proration.map {
                .object([
                    "seconds": .integer($0.numerator), "of_seconds": .integer($0.denominator),
                ])
            },
            "exact_amount": .string(rated.exactText), "amount": money(rated.amount, rated.currency),
            "amount_minor": .integer(rated.amount), "currency": .string(rated.currency.code),
            "rounding": draft.span?.price.map { .string($0.rounding.rawValue) },
            "usage": draft.span.map { usage($0, rated.scale) },
        ])
    }

    private static func part(_ part: RatedLine.Part, _ scale: Int) -> JSONValue {
        // Packages and shares of time are counted whole, whatever the meter's scale.
        let isUnits = part.kind == .unit || part.kind == .tier
        return .members([
            "kind": .string(part.kind.rawValue),
            "above": part.lower.map { RecordCodec.quantity($0, scale: scale) },
            "up_to": part.upper.map { RecordCodec.quantity($0, scale: scale) },
            "quantity": RecordCodec.quantity(part.quantity, scale: isUnits ? scale : 0),
            "unit_price": part.unit.map { .string($0.text) },
            "flat": part.flat.map { .string($0.text) }, "amount": .string(part.amount.text),
        ])
    }

    private static func usage(_ span: UsageSpan, _ scale: Int) -> JSONValue {
        .members([
            "before": RecordCodec.quantity(span.before, scale: scale),
            "after": RecordCodec.quantity(span.after, scale: scale),
            "limit": span.limit.map { RecordCodec.limit($0, scale: scale) },
        ])
    }

    // MARK: forms that all documents of billing share

    static func period(_ period: Period) -> JSONValue {
        .object(["start": time(period.start), "end": time(period.end)])
    }

    static func time(_ instant: Timestamp) -> JSONValue { .string(instant.rfc3339()) }

    /// `12.30`: minor units as people write them.
    static func money(_ amount: Int64, _ currency: Currency) -> JSONValue {
        let places = currency.minorUnitPlaces
        return .string(
            ExactDecimal(units: Int128(amount), scale: places).text(placesMin: places))
    }

    static func causes(_ causes: [BillingCause]) -> JSONValue {
        .array(
            causes.map {
                .object([
                    "kind": .string($0.kind.rawValue), "id": .string($0.id), "at": time($0.at),
                ])
            })
    }
}
