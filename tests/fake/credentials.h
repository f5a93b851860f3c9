/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "natd/access/peer.h"

/** fake_credentials - whom the next clients seem to be */
extern struct credentials fake_credentials;
/** fake_credentials_error - or what the kernel says instead; 0 = nothing */
extern int fake_credentials_error;
