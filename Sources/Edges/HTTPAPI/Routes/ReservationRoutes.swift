internal import MeteringModel
internal import MeteringPorts
internal import NIOCore

/// Holds on a quota: reserve, then commit what was really used, or release.
struct ReservationRoutes: Sendable {
    let gate: any EntitlementGate
    let document: DecisionDocument
    let trees: TreeGuard

    init(_ services: HTTPServices, _ options: HTTPOptions) {
        gate = services.gate
        document = DecisionDocument(offsetSeconds: options.offsetSeconds)
        trees = TreeGuard(access: services.access)
    }

    func reserve(_ request: Request) async throws(Problem) -> Answer {
        let reader = QuestionReader(buffer: request.body, batchCountMax: 0)
        guard case .single(var item) = try reader.read() else {
            throw .invalid("checks", "a reservation is one question")
        }
        try trees.check(item.question.party, request.principal)
        if item.question.id == nil {
            item.question.id = try CheckRoutes.idempotencyKey(request)
        }
        if item.question.id == nil { throw .invalid("id", "a reservation needs an id") }
        do throws(GateError) {
            return answer(
                try await gate.reserve(item.question, timeToLiveSeconds: item.timeToLiveSeconds))
        } catch {
            throw Problem(error)
        }
    }

    func commit(_ request: Request) async throws(Problem) -> Answer {
        let actual = try self.actual(request.body)
        let id = request.parameter(0)
        do throws(GateError) {
            return answer(try await gate.commitReservation(id, actual: actual))
        } catch {
            throw Problem(error)
        }
    }

    func release(_ request: Request) async throws(Problem) -> Answer {
        let id = request.parameter(0)
        do throws(GateError) {
            return answer(try await gate.releaseReservation(id))
        } catch {
            throw Problem(error)
        }
    }

    /// `{"quantity":412}`; without one, or without a body, all that was reserved.
    private func actual(_ body: ByteBuffer) throws(Problem) -> DecimalQuantity? {
        if body.readableBytes == 0 { return nil }
        let members = try ObjectReader(body).members
        guard let value = members["quantity"], value != .null else { return nil }
        guard let text = value.numberText else {
            throw .invalid("quantity", "quantity must be a number or a decimal string")
        }
        do throws(DecimalQuantity.Failure) {
            return try QuestionReader.bounded(try DecimalQuantity(text))
        } catch {
            throw .invalid("quantity", QuestionReader.explain(error))
        }
    }

    private func answer(_ result: ReservationAnswer) -> Answer {
        .json { writer in
            writer.object { writer in
                document.writeMembers(result.decision, to: &writer)
                guard let reservation = result.reservation else { return }
                let scale = result.decision.scale
                writer.member("\"reservation_id\":", reservation.id)
                writer.member("\"state\":", reservation.state.rawValue)
                writer.name("\"reserved\":")
                writer.quantity(reservation.quantity, scale: scale)
                writer.name("\"committed\":")
                writer.quantity(reservation.committed, scale: scale)
                writer.name("\"expires_at\":")
                writer.time(reservation.expiresAt)
            }
        }
    }
}
