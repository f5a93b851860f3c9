/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * faulty_mnl - a libmnl whose sending and receiving fail when told to
 *
 * Linked with --wrap=mnl_socket_recvfrom and --wrap=mnl_socket_sendto. What is not told
 * to fail reaches the kernel.
 */

#include <stdbool.h>
#include <stddef.h>

/** faulty_receive_fails() - the @nth receive from now on (1 = the next) ends with @error;
 * what the kernel had to say is lost, as with ENOBUFS */
void faulty_receive_fails(unsigned int nth, int error);

/** faulty_receive_interrupted() - the next @times receives end with EINTR, losing nothing
 */
void faulty_receive_interrupted(unsigned int times);

/** faulty_receive_dry_at() - the @nth receive from now on finds nothing (EAGAIN), losing
 * nothing */
void faulty_receive_dry_at(unsigned int nth);

/** faulty_dump_torn_at() - the first message of the @nth receive from now on (1 = the
 * next) carries NLM_F_DUMP_INTR */
void faulty_dump_torn_at(unsigned int nth);

/** faulty_answer() - the next NLMSG_ERROR or NLMSG_DONE carries @error, negative; 0: not
 * any longer */
void faulty_answer(int error);

/** faulty_send_fails() - the @nth send from now on (1 = the next) ends with @error, and
 * nothing has reached the kernel */
void faulty_send_fails(unsigned int nth, int error);

/** faulty_send_refused() - the kernel refuses the transaction that the @nth send from now
 * on carries, and says @error; what is no transaction goes through, and counts */
void faulty_send_refused(unsigned int nth, int error);

/** faulty_met() - has a send failed, or been refused, as told? */
bool faulty_met(void);
