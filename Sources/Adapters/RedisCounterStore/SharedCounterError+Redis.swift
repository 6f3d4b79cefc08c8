import MeteringPorts
import RedisClient

extension SharedCounterError {
    init(_ error: RedisError) {
        let code: Code =
            switch error.code {
            case .unreachable, .sessionChanged, .protocolError: .unreachable
            case .timeout: .timeout
            case .closed: .closed
            case .overloaded: .rejected
            case .refused: .misconfigured
            }
        self.init(
            code: code, message: "Redis: \(error.message)",
            isOutcomeUnknown: error.isOutcomeUnknown)
    }

    /// An error reply: the server answered that it did nothing.
    init(reply text: String) {
        let code: Code =
            switch text.prefix(while: { $0 != " " }) {
            case "LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "TRYAGAIN", "READONLY":
                .unreachable
            case "NOAUTH", "NOPERM", "WRONGPASS", "MOVED", "ASK", "CROSSSLOT": .misconfigured
            default: .rejected
            }
        self.init(code: code, message: "Redis answered: \(text)")
    }

    static func malformedReply(to function: CounterLibrary.Function) -> SharedCounterError {
        SharedCounterError(
            code: .rejected, message: "Redis answered \(function.rawValue) in an unknown form",
            isOutcomeUnknown: true)
    }
}

extension RedisValue {
    /// The reply itself, unless it is an error.
    func checked() throws(SharedCounterError) -> RedisValue {
        if let text = errorText { throw SharedCounterError(reply: text) }
        return self
    }

    /// The code that starts an answer, and the value that may follow.
    func answer(
        of function: CounterLibrary.Function
    ) throws(SharedCounterError) -> (CounterLibrary.Answer, RedisValue?) {
        guard let elements = try checked().elements,
            let code = elements.first?.number.flatMap(CounterLibrary.Answer.init)
        else { throw .malformedReply(to: function) }
        return (code, elements.count > 1 ? elements[1] : nil)
    }
}
