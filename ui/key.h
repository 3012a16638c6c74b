/* Keys as the screen knows them: a Unicode code point, or one of these. term.c makes them
 * from what the terminal sends; nothing else knows curses' codes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef UI_KEY_H
#define UI_KEY_H

#define KEY_CTRL_(letter) ((letter)&0x1f)

enum ui_key {
    K_NONE = 0,
    K_CTRL_C = KEY_CTRL_('C'),
    K_CTRL_D = KEY_CTRL_('D'),
    K_TAB = KEY_CTRL_('I'),
    K_CTRL_L = KEY_CTRL_('L'),
    K_ENTER = KEY_CTRL_('M'),
    K_CTRL_U = KEY_CTRL_('U'),
    K_CTRL_Z = KEY_CTRL_('Z'),
    K_ESC = 27,
    K_BACKSPACE = 127,
    K_FIRST_SPECIAL = 0x110000, /* beyond Unicode */
    K_UP = K_FIRST_SPECIAL,
    K_DOWN,
    K_LEFT,
    K_RIGHT,
    K_PAGE_UP,
    K_PAGE_DOWN,
    K_HOME,
    K_END,
    K_BACKTAB,
    K_F1,
    K_F2,
    K_F3,
    K_F4,
    K_F5,
    K_RESIZE, /* the terminal has another size */
    K_MOUSE,  /* term_mouse() tells where */
    K_HANGUP, /* the terminal is gone: leave */
    K_TIMEOUT
};

#endif
