import MeteringModel
package import MeteringPorts

/// What services want told becomes messages in the lines of the endpoints that take them.
package final class AlertOutbox: NotificationOutbox {
    private let store: any AlertStore
    private let book: EndpointBook
    private let facts: FactsLookup
    private let clock: WallClock
    private let settings: AlertSettings

    package init(
        store: any AlertStore, book: EndpointBook, facts: @escaping FactsLookup, clock: WallClock,
        settings: AlertSettings = AlertSettings()
    ) {
        self.store = store
        self.book = book
        self.facts = facts
        self.clock = clock
        self.settings = settings
    }

    package func publish(_ notifications: [Notification]) throws(LedgerError) {
        if notifications.isEmpty { return }
        let endpoints = book.endpoints().filter(\.isEnabled)
        let items = notifications.map { notification -> AlertBatch.Item in
            let message = message(of: notification)
            return .init(
                message: message,
                endpoints: endpoints.filter { $0.takes(message) }.map(\.id))
        }
        try store.take(AlertBatch(items: items, at: clock.now()))
    }

    /// A plan or owner that the notification leaves out is looked up.
    private func message(of notification: Notification) -> AlertMessage {
        var message = AlertMessage(
            id: notification.id, type: notification.type, customer: notification.customer,
            feature: notification.feature, plan: notification.plan, owner: notification.owner,
            levelBasisPoints: notification.levelBasisPoints, at: notification.at,
            body: MessageText.body(notification, bytesMax: settings.bodyBytesMax))
        if let customer = message.customer, message.plan == nil || message.owner == nil {
            let found = facts(customer, message.feature, message.at)
            message.plan = message.plan ?? found.plan
            message.owner = message.owner ?? found.owner
        }
        return message
    }
}
