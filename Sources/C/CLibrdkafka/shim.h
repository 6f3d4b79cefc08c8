#ifndef TOLLGATE_CLIBRDKAFKA_H
#define TOLLGATE_CLIBRDKAFKA_H
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#endif
