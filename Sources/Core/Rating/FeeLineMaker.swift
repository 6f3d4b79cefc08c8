import MeteringModel

/// Makes the lines of one item in one billing cycle.
struct FeeLineMaker {
    /// What a line does; part of its key.
    enum Role: String {
        case charge
        /// Takes back what was charged for the rest of the cycle.
        case credit
        /// More or less of the same.
        case change
    }

    let subscription: String
    let slot: FeeSlot
    let cycle: Period

    // MARK: in advance, prorated

    /// A charge where the item begins, and what each change or end makes of the rest of the cycle.
    func changes(_ pieces: [FeeRun]) throws(RatingError) -> [RatedLine] {
        var lines: [RatedLine] = []
        var last: FeeRun?
        for piece in pieces {
            if let before = last {
                if before.to < piece.from {
                    lines.append(try credit(before, at: before.to))
                    lines.append(try charge(piece))
                } else {
                    lines += try change(from: before, to: piece)
                }
            } else {
                lines.append(try charge(piece))
            }
            last = piece
        }
        if let last, last.to < cycle.end { lines.append(try credit(last, at: last.to)) }
        return lines
    }

    private func charge(_ piece: FeeRun) throws(RatingError) -> RatedLine {
        try line(.charge, piece, from: piece.from, to: cycle.end, at: piece.from)
    }

    private func credit(_ piece: FeeRun, at instant: Timestamp) throws(RatingError) -> RatedLine {
        try line(
            .credit, piece, quantity: -piece.terms.quantity, from: instant, to: cycle.end,
            at: instant)
    }

    private func change(
        from before: FeeRun, to piece: FeeRun
    ) throws(RatingError) -> [RatedLine] {
        guard before.terms.isOfOnePrice(with: piece.terms) else {
            return [try credit(before, at: piece.from), try charge(piece)]
        }
        let more = piece.terms.quantity - before.terms.quantity
        if more == 0 { return [] }
        return [
            try line(
                .change, piece, quantity: more, from: piece.from, to: cycle.end, at: piece.from)
        ]
    }

    // MARK: not prorated

    /// What each piece costs more than the most so far, in full.
    func increases(_ pieces: [FeeRun]) throws(RatingError) -> [RatedLine] {
        var lines: [RatedLine] = []
        var most: (piece: FeeRun, total: ExactDecimal)?
        for piece in pieces {
            let total = try total(piece)
            guard let last = most else {
                lines.append(
                    try line(
                        .charge, piece, from: piece.from, to: cycle.end, at: piece.from,
                        isWhole: true))
                most = (piece, total)
                continue
            }
            if total <= last.total { continue }
            lines.append(try increase(piece, total, over: last.piece, last.total))
            most = (piece, total)
        }
        return lines
    }

    private func increase(
        _ piece: FeeRun, _ total: ExactDecimal, over last: FeeRun, _ before: ExactDecimal
    ) throws(RatingError) -> RatedLine {
        if last.terms.isOfOnePrice(with: piece.terms) {
            return try line(
                .change, piece, quantity: piece.terms.quantity - last.terms.quantity,
                from: piece.from, to: cycle.end, at: piece.from, isWhole: true)
        }
        let back = try ExactMoney.difference(.zero, ExactAmount(before), what)
        let parts = [
            RatedLine.Part(
                kind: .unit, quantity: piece.terms.quantity, unit: piece.terms.price.amount,
                amount: ExactAmount(total)),
            RatedLine.Part(kind: .billed, amount: back),
        ]
        let difference = try ExactMoney.sum(ExactAmount(total), back, what)
        return try line(
            .change, piece, quantity: piece.terms.quantity, from: piece.from, to: cycle.end,
            at: piece.from, parts: parts, exact: difference, share: nil)
    }

    /// The piece that costs most, in full, when the cycle ends.
    func dearest(of pieces: [FeeRun]) throws(RatingError) -> [RatedLine] {
        var most: (piece: FeeRun, total: ExactDecimal)?
        for piece in pieces {
            let total = try total(piece)
            if most.map({ $0.total < total }) ?? true { most = (piece, total) }
        }
        guard let most else { return [] }
        return [
            try line(
                .charge, most.piece, from: most.piece.from, to: most.piece.to, at: cycle.end,
                isWhole: true)
        ]
    }

    private func total(_ piece: FeeRun) throws(RatingError) -> ExactDecimal {
        try ExactMoney.product(
            piece.terms.price.amount, units: piece.terms.quantity, scale: 0, what)
    }

    // MARK: one line

    /// - Parameters:
    ///   - quantity: nil: that of the terms.
    ///   - isWhole: the whole cycle's amount, whatever the time.
    func line(
        _ role: Role, _ piece: FeeRun, quantity: Int64? = nil, from: Timestamp, to: Timestamp,
        at due: Timestamp, isWhole: Bool = false
    ) throws(RatingError) -> RatedLine {
        let quantity = quantity ?? piece.terms.quantity
        let price = piece.terms.price.amount
        let all = try ExactMoney.product(price, units: quantity, scale: 0, what)
        let share = isWhole ? nil : cycle.share(from: from, to: to)
        var exact = ExactAmount(all)
        if let share { exact = try ExactMoney.share(all, share, what) }
        let part = RatedLine.Part(kind: .unit, quantity: quantity, unit: price, amount: exact)
        return try line(
            role, piece, quantity: quantity, from: from, to: to, at: due, parts: [part],
            exact: exact, share: share)
    }

    private func line(
        _ role: Role, _ piece: FeeRun, quantity: Int64, from: Timestamp, to: Timestamp,
        at due: Timestamp, parts: [RatedLine.Part], exact: ExactAmount,
        share: RatedLine.Proration?
    ) throws(RatingError) -> RatedLine {
        let terms = piece.terms
        let item = slot.item(terms)
        var feature: FeatureKey?
        if case .seats(let key) = slot { feature = key }
        return RatedLine(
            kind: slot.kind,
            key: RatedLine.key([
                slot.kind.rawValue, subscription, item,
                String(cycle.start.microseconds), String(cycle.end.microseconds),
                String(from.microseconds), role.rawValue,
            ]),
            feature: feature, subscription: subscription, item: item, source: piece.source,
            period: cycle, from: from, to: to, dueAt: due, quantity: quantity,
            includedQuantity: role == .charge ? max(terms.price.included, 0) : 0,
            unitPrice: parts.count == 1 ? terms.price.amount : nil, parts: parts,
            proration: share.flatMap { $0.isWhole ? nil : $0 }, exactText: exact.text,
            amount: try ExactMoney.rounded(exact, terms.currency, terms.price.rounding, what),
            currency: terms.currency)
    }

    private var what: String {
        "a fee of subscription \"\(subscription)\" from \(cycle.start.rfc3339())"
    }
}

extension FeeTerms {
    /// Whether both are more or less of the same thing.
    fileprivate func isOfOnePrice(with other: FeeTerms) -> Bool {
        plan == other.plan && price.amount == other.price.amount
    }
}
